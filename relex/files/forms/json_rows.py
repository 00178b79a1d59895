"""JSON lines, and JSON that holds objects one after another or in an array; each object is a record.

The keys of all objects, in the order of their first appearance, are the columns.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

from relex.errors import InvalidCsv, printable, quoted
from relex.files.forms import form as limits
from relex.files.forms.cells import SourceFloat, cell_text
from relex.files.forms.form import INVISIBLE, BlankRows, Broken, Form, Record, Table
from relex.files.forms.text import Lines, open_text

MAX_COLUMNS = 10_000
CHUNK_CHARS = 1 << 16
SPACE = " \t\r\n\ufeff"
TOO_DEEP = (RecursionError, MemoryError)


class _Object(NamedTuple):
    """An object of the file, or the reason why there is none."""

    line: int
    values: dict[str, Any]
    text: str = ""
    broken: str = ""


@contextmanager
def open_json(path: Path, name: str, form: Form) -> Iterator[Table]:
    """Open a file of JSON objects; it is read once for its keys and once for its records.

    Raises:
        InvalidCsv: it is not JSON from some line on, or holds no object.
    """
    names: dict[str, None] = {}
    first = 0
    with open_text(path, name, form) as file:
        for each in _objects(name, form, file):
            names.update(dict.fromkeys(each.values))
            first = first or each.line
            if len(names) > MAX_COLUMNS:
                raise InvalidCsv(
                    f"{name}: line {each.line}: more than {MAX_COLUMNS:,} different keys; is this a table?"
                )
    if not first:
        raise InvalidCsv(f"{name}: the file is empty")
    with open_text(path, name, form) as file:
        records = (_record(each, list(names)) for each in _objects(name, form, file))
        yield Table(form, [column.strip(INVISIBLE) for column in names], first, records, BlankRows())


def _record(each: _Object, names: list[str]) -> Record:
    if each.broken:
        return Record(each.line, [each.text], Broken("broken-json", each.broken))
    return Record(each.line, [cell_text(each.values.get(name)) for name in names])


def _objects(name: str, form: Form, file: TextIOWrapper) -> Iterator[_Object]:
    return _by_line(Lines(name, file)) if form.format == "jsonl" else _in_sequence(name, file)


def _by_line(lines: Lines) -> Iterator[_Object]:
    """Yield the object of each line that is not blank; a broken line costs no other."""
    for text in lines:
        lines.begin()
        if not text.strip(SPACE):
            continue
        try:
            values = DECODER.decode(text.strip(SPACE))
        except json.JSONDecodeError as exc:
            at = f"{exc.msg}, character {exc.pos + 1}"
            yield _Object(lines.number, {}, text, f"is not a JSON object ({at}): {_excerpt(text, exc.pos)}")
        except (ValueError, *TOO_DEEP) as exc:
            yield _Object(lines.number, {}, text, f"cannot be read as JSON: {_reason(exc)}")
        else:
            is_object = isinstance(values, dict)
            broken = "" if is_object else f"is JSON, but not an object: {quoted(text)}"
            yield _Object(lines.number, values if is_object else {}, text, broken)


def _in_sequence(name: str, file: TextIOWrapper) -> Iterator[_Object]:
    """Yield the objects of an array, or those that follow on each other, without holding more than one.

    Raises:
        InvalidCsv: something is no object, or not JSON: what follows on it cannot be read.
    """
    reader = _Sequence(name, file)
    in_array = reader.skip("[")
    while not (in_array and reader.skip("]")) and reader.fill():
        line = reader.line
        values = reader.read()
        if not isinstance(values, dict):
            raise InvalidCsv(f"{name}: line {line}: {quoted(cell_text(values))} is JSON, but not an object with keys")
        yield _Object(line, values)
        reader.skip(",")


class _Sequence:
    """Values of JSON read from a text, piece by piece."""

    def __init__(self, name: str, file: TextIOWrapper) -> None:
        self.line = 1
        """Line of the next character."""
        self._name = name
        self._file = file
        self._text = ""
        self._at = 0

    def fill(self) -> bool:
        """Skip white space, and return whether anything follows."""
        while True:
            rest = self._text[self._at :].lstrip(SPACE)
            self._advance(len(self._text) - len(rest))
            if rest:
                return True
            self._text, self._at = self._file.read(CHUNK_CHARS), 0
            if not self._text:
                return False

    def skip(self, mark: str) -> bool:
        """Skip a mark, and return whether it was there."""
        present = self.fill() and self._text.startswith(mark, self._at)
        if present:
            self._advance(self._at + len(mark))
        return present

    def read(self) -> Any:
        """Return the next value; more text is read until it is whole.

        Raises:
            InvalidCsv: it is not JSON, or too long.
        """
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except (ValueError, *TOO_DEEP) as exc:
                more = self._file.read(max(CHUNK_CHARS, len(self._text)))
                if more and len(self._text) - self._at < limits.MAX_LINE:
                    self._text, self._at = self._text[self._at :] + more, 0
                    continue
                raise InvalidCsv(self._broken(exc)) from exc
            self._advance(end)
            return value

    def _advance(self, at: int) -> None:
        self.line += self._text.count("\n", self._at, at)
        self._at = at

    def _broken(self, exc: BaseException) -> str:
        if not isinstance(exc, json.JSONDecodeError):
            return f"{self._name}: line {self.line}: cannot be read as JSON: {_reason(exc)}"
        line = self.line + self._text.count("\n", self._at, exc.pos)
        return (
            f"{self._name}: line {line}: not JSON ({exc.msg}): {_excerpt(self._text[self._at :], exc.pos - self._at)}"
        )


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {quoted(next(key for key in keys if keys.count(key) > 1))} appears twice")
    return values


DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=SourceFloat)


def _reason(exc: BaseException) -> str:
    return "nested too deeply" if isinstance(exc, TOO_DEEP) else str(exc)


def _excerpt(text: str, at: int) -> str:
    """Quote what stands around a position."""
    first = max(0, at - limits.EXCERPT_CHARS)
    return f"'{printable(text[first : at + limits.EXCERPT_CHARS].strip(SPACE))}'"
