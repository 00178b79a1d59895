"""From text to records: the separator, the header, quoting and line numbers of a CSV.

Lines can be read again, because a quote that is never closed would swallow the valid rows after it.
"""

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from relex.errors import InvalidCsv
from relex.files.forms.form import INVISIBLE, MAX_FIELD, BlankRows, Broken, Form, Record, Table
from relex.files.forms.text import Lines, open_text

SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t|]*\s*', re.IGNORECASE)
"""The line that Excel reads and writes before a header."""
SEPARATORS = ",\t;|"
"""Possible separators of columns; the header decides. Excel's "Unicode text" is UTF-16 with tabs."""


@contextmanager
def open_separated(path: Path, name: str, form: Form) -> Iterator[Table]:
    """Open a CSV whose form is known, and read its header.

    Raises:
        InvalidCsv: it cannot be read as its encoding, or is empty; while records are read, also for bytes that do not
            decode and for an endless line.
    """
    csv.field_size_limit(MAX_FIELD)  # the csv module has one global limit
    with open_text(path, name, form) as file:
        lines = Lines(name, file)
        _read_separator(lines)
        header = _first(name, lines, form.delimiter)
        names = [column.strip(INVISIBLE) for column in header.fields]
        blank = BlankRows()
        yield Table(form, names, header.number, _records(lines, form.delimiter, blank, len(names)), blank)


def find_delimiter(path: Path, name: str, form: Form, count_known: Callable[[list[str]], int]) -> str:
    """Return the separator that the file names, or with which its header has the most known columns.

    Args:
        path: where the file is.
        name: what messages call it.
        form: the other parts of its form.
        count_known: counts the names of a header that mean something.

    Raises:
        InvalidCsv: the file is empty or cannot be read as its encoding.
    """
    csv.field_size_limit(MAX_FIELD)
    with open_text(path, name, form) as file:
        lines = Lines(name, file)
        separator = _read_separator(lines)
        if separator:
            return separator
        ranks = {}
        for each in SEPARATORS:
            names = [column.strip(INVISIBLE) for column in _first(name, lines, each).fields]
            lines.unread(0)
            ranks[each] = (count_known(names), len(names))
    return max(SEPARATORS, key=lambda each: ranks[each])


def _first(name: str, lines: Lines, separator: str) -> Record:
    """Read the header, which follows on blank rows only.

    Raises:
        InvalidCsv: there is no row at all.
    """
    header = next(_records(lines, separator, BlankRows()), None)
    if header is None:
        raise InvalidCsv(f"{name}: the file is empty")
    return header


def _read_separator(lines: Lines) -> str | None:
    """Read the separator from a line like `sep=;`; any other line is left unread."""
    lines.begin()
    match = SEPARATOR_LINE.fullmatch(next(lines, ""))
    if match is None:
        lines.unread(0)
    return match[1] if match else None


def _records(lines: Lines, separator: str, blank: BlankRows, width: int | None = None) -> Iterator[Record]:
    """Yield all records except blank ones; `width` is the expected number of fields, if known.

    After a broken record, reading continues at its second line, so that an open quote costs no valid row.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        line = lines.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            lines.unread(1)
            yield _broken(line, lines, str(exc))
            continue
        if not any(map(str.strip, fields)):
            if fields:
                blank.count += 1
                blank.first = blank.first or line
        elif width is None or len(fields) == width:
            yield Record(line, fields)
        elif not any(map(str.strip, fields[width:])) and len(fields) > width:
            yield Record(line, fields[:width])
        elif count := _own_lines(lines.current, separator, width):
            lines.unread(count)
            yield _broken(line, lines, "a quote is opened and not closed on its line")
        else:
            yield Record(line, fields)


def _broken(line: int, lines: Lines, reason: str) -> Record:
    message = f"cannot be split into columns ({reason}); is a quote missing or not doubled?"
    return Record(line, ["".join(lines.current)], Broken("broken-quotes", message))


def _own_lines(lines: list[str], separator: str, width: int) -> int:
    """Count the lines of a record with a wrong width if a later line is a whole record; 0 otherwise."""
    for index, line in enumerate(lines[1:], 1):
        try:
            if len(next(csv.reader([line], delimiter=separator, strict=True))) == width:
                return index
        except csv.Error:
            continue
    return 0
