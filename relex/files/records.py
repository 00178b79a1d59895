"""The lines of an open file, of which some can be read again: a quote that is never closed swallows good rows.

From text to records: separator, header, quoting, line numbers, and the columns that relex knows.
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
"""Characters a field may have: four times the longest sentence promised, and a bound for a quote never closed."""
MAX_LINE = 4 * MAX_FIELD
"""Characters between two line ends: a bound for files without any."""
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t|]*\s*', re.IGNORECASE)
"""What Excel reads, and writes, before a header."""


class Lines:
    """An iterator of lines that knows their numbers and remembers those of the current record."""

    def __init__(self, name: str, file: TextIOWrapper) -> None:
        self.number = 0
        """The number of the last line that was read; the file's first line is 1."""
        self.taken: list[str] = []
        """The lines read since :meth:`begin`."""
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
        self.taken.append(line)
        return line

    def begin(self) -> int:
        """Begin a record, and return the number of its first line."""
        self.taken = []
        return self.number + 1

    def give_back(self, kept: int) -> None:
        """Read all lines of the current record again, except the first `kept` ones."""
        returned = self.taken[kept:]
        self.taken = self.taken[:kept]
        self._returned.extendleft(reversed(returned))
        self.number -= len(returned)

    def take_separator(self) -> str | None:
        """The separator that a line `sep=;` names; any other line is read again."""
        self.begin()
        named = SEPARATOR_LINE.fullmatch(next(self, ""))
        if named is None:
            self.give_back(0)
        return named[1] if named else None


SEPARATORS = ",\t;|"
"""What may stand between columns; the header decides. Excel's "Unicode text" is UTF-16 with tabs."""
INVISIBLE = " \t\ufeff\u200b"
"""What may stand round a column's name without a person seeing it."""


class Record(NamedTuple):
    """One record as it stands in the file; `broken` says why it could not be split (one field: all its text)."""

    line: int
    fields: list[str]
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """The file's column names in its own order."""

    names: list[str]

    @property
    def picker(self) -> Callable[[list[str]], tuple[str, ...]]:
        """Takes the values of KNOWN, in that order, from fields with one "" added behind for absent columns."""
        width = len(self.names)
        return itemgetter(*(self.names.index(name) if name in self.names else width for name in KNOWN))

    @property
    def ignored(self) -> list[str]:
        """Named columns that relex does not read."""
        return [name for name in self.names if name and name not in KNOWN]


@dataclass(slots=True)
class BlankRows:
    """How many rows of nothing but separators and spaces were passed over so far."""

    count: int = 0
    first_line: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """An open CSV; `records` runs through it once."""

    header: Header
    records: Iterator[Record]
    codec: str
    bom: bool
    blank: BlankRows = field(default_factory=BlankRows)
    """Complete once the records have come to their end."""


@contextmanager
def open_table(path: Path, codec: str) -> Iterator[Table]:
    """Open a CSV and read its header.

    Raises:
        InvalidCsv: the file cannot be read as `codec`, or its header lacks or repeats a column; while the
            records run, also for bytes that do not decode and for a line without end.
    """
    csv.field_size_limit(MAX_FIELD)  # the csv module knows one limit for all readers
    with open_text(path, codec) as (file, bom):
        lines = Lines(path.name, file)
        header, separator = _read_header(path.name, lines)
        blank = BlankRows()
        records = _records(lines, separator, blank, len(header.names))
        yield Table(header, records, codec, bom, blank)


def _read_header(name: str, lines: Lines) -> tuple[Header, str]:
    """The header, split by the separator that finds the most known columns in it."""
    separators = lines.take_separator() or SEPARATORS
    found: dict[str, Record] = {}
    for separator in separators:
        first = next(_records(lines, separator, BlankRows()), None)
        if first is None:
            raise InvalidCsv(f"{name}: the file is empty")
        found[separator] = first._replace(fields=[column.strip(INVISIBLE) for column in first.fields])
        lines.give_back(0)
    separator = max(separators, key=lambda mark: len({*found[mark].fields} & {*KNOWN}))
    next(_records(lines, separator, BlankRows()))
    check_names(name, found[separator].line, found[separator].fields)
    return Header(found[separator].fields), separator


def _records(lines: Lines, separator: str, blank: BlankRows, width: int | None = None) -> Iterator[Record]:
    """All records, blank ones left out; `width` is how many fields one should have, where that is known.

    The next line after the first of a broken record begins a new one: an open quote costs no row behind it.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        line = lines.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            lines.give_back(1)
            yield Record(line, ["".join(lines.taken)], str(exc))
            continue
        if not any(map(str.strip, fields)):
            if fields:
                blank.count += 1
                blank.first_line = blank.first_line or line
        elif width is None or len(fields) == width:
            yield Record(line, fields)
        elif not any(map(str.strip, fields[width:])) and len(fields) > width:
            yield Record(line, fields[:width])
        elif kept := _own_lines(lines.taken, separator, width):
            lines.give_back(kept)
            yield Record(line, ["".join(lines.taken)], "a quote is opened and not closed on its line")
        else:
            yield Record(line, fields)


def _own_lines(taken: list[str], separator: str, width: int) -> int:
    """How many lines belong to a record of another width, where one behind them is a whole record; else 0."""
    for index, line in enumerate(taken[1:], 1):
        try:
            if len(next(csv.reader([line], delimiter=separator, strict=True))) == width:
                return index
        except csv.Error:
            continue
    return 0
