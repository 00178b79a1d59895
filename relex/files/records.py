"""From text to records: separator, header, quoting and line numbers.

Lines can be read again, because a quote that is never closed would swallow the valid rows after it.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from relex.errors import InvalidCsv
from relex.files.columns import KNOWN, check_names
from relex.files.text import open_text

MAX_FIELD = 4 * 1024 * 1024
"""Maximum characters of a field: four times the longest sentence promised; limits a quote that is never closed."""
MAX_LINE = 4 * MAX_FIELD
"""Maximum characters of a line; limits files without line ends."""
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t|]*\s*', re.IGNORECASE)
"""The line that Excel reads and writes before a header."""
SEPARATORS = ",\t;|"
"""Possible separators of columns; the header decides. Excel's "Unicode text" is UTF-16 with tabs."""
INVISIBLE = " \t\ufeff\u200b"
"""Characters around a column's name that the user cannot see."""


class Lines:
    """An iterator of lines that counts them and keeps those of the current record."""

    def __init__(self, name: str, file: TextIOWrapper) -> None:
        self.number = 0
        """Number of the last line that was read, counted from 1."""
        self.current: list[str] = []
        """Lines that were read since :meth:`begin`."""
        self._name = name
        self._file = file
        self._returned: deque[str] = deque()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else self._file.readline(MAX_LINE)
        if not line:
            raise StopIteration
        if len(line) == MAX_LINE:
            raise InvalidCsv(f"{self._name}: a line is longer than {MAX_LINE:,} characters; is this a CSV?")
        self.number += 1
        self.current.append(line)
        return line

    def begin(self) -> int:
        """Begin a record, and return the number of its first line."""
        self.current = []
        return self.number + 1

    def unread(self, keep: int) -> None:
        """Queue the lines of the current record to be read again, except the first `keep` ones."""
        returned = self.current[keep:]
        self.current = self.current[:keep]
        self._returned.extendleft(reversed(returned))
        self.number -= len(returned)

    def read_separator(self) -> str | None:
        """Read the separator from a line like `sep=;`; any other line is left unread."""
        self.begin()
        match = SEPARATOR_LINE.fullmatch(next(self, ""))
        if match is None:
            self.unread(0)
        return match[1] if match else None


class Record(NamedTuple):
    """One record of the file; `broken` says why it could not be split and is then one field with all its text."""

    line: int
    fields: list[str]
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """The file's column names in file order."""

    names: list[str]

    @property
    def picker(self) -> Callable[[list[str]], tuple[str, ...]]:
        """Return a function that picks the values of KNOWN, in that order, from fields with one "" appended.

        The appended "" stands for columns that the file lacks.
        """
        width = len(self.names)
        return itemgetter(*(self.names.index(name) if name in self.names else width for name in KNOWN))

    @property
    def ignored(self) -> list[str]:
        """Names of columns that relex does not read."""
        return [name for name in self.names if name and name not in KNOWN]


@dataclass(slots=True)
class BlankRows:
    """A count of skipped rows that hold only separators and spaces."""

    count: int = 0
    first_line: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """An open CSV; `records` iterates over it once."""

    header: Header
    records: Iterator[Record]
    codec: str
    bom: bool
    blank: BlankRows = field(default_factory=BlankRows)
    """Complete only after the last record was read."""


@contextmanager
def open_table(path: Path, codec: str) -> Iterator[Table]:
    """Open a CSV and read its header.

    Raises:
        InvalidCsv: the file cannot be read as `codec`, or its header lacks or repeats a column; while records
            are read, also for bytes that do not decode and for an endless line.
    """
    csv.field_size_limit(MAX_FIELD)  # the csv module has one global limit
    with open_text(path, codec) as (file, bom):
        lines = Lines(path.name, file)
        header, separator = _read_header(path.name, lines)
        blank = BlankRows()
        records = _records(lines, separator, blank, len(header.names))
        yield Table(header, records, codec, bom, blank)


def _read_header(name: str, lines: Lines) -> tuple[Header, str]:
    """Read the header with the separator that yields the most known columns."""
    separators = lines.read_separator() or SEPARATORS
    headers: dict[str, Record] = {}
    for separator in separators:
        first = next(_records(lines, separator, BlankRows()), None)
        if first is None:
            raise InvalidCsv(f"{name}: the file is empty")
        headers[separator] = first._replace(fields=[column.strip(INVISIBLE) for column in first.fields])
        lines.unread(0)
    separator = max(separators, key=lambda mark: len({*headers[mark].fields} & {*KNOWN}))
    next(_records(lines, separator, BlankRows()))
    check_names(name, headers[separator].line, headers[separator].fields)
    return Header(headers[separator].fields), separator


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
            yield Record(line, ["".join(lines.current)], str(exc))
            continue
        if not any(map(str.strip, fields)):
            if fields:
                blank.count += 1
                blank.first_line = blank.first_line or line
        elif width is None or len(fields) == width:
            yield Record(line, fields)
        elif not any(map(str.strip, fields[width:])) and len(fields) > width:
            yield Record(line, fields[:width])
        elif count := _own_lines(lines.current, separator, width):
            lines.unread(count)
            yield Record(line, ["".join(lines.current)], "a quote is opened and not closed on its line")
        else:
            yield Record(line, fields)


def _own_lines(lines: list[str], separator: str, width: int) -> int:
    """Count the lines of a record with a wrong width if a later line is a whole record; 0 otherwise."""
    for index, line in enumerate(lines[1:], 1):
        try:
            if len(next(csv.reader([line], delimiter=separator, strict=True))) == width:
                return index
        except csv.Error:
            continue
    return 0
