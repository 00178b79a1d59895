"""From text to records: header, quoting, line numbers, and the columns that relex knows."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from relex.csvfile.source import open_text
from relex.errors import InvalidCsv, did_you_mean, shortened

ID, SENTENCE, SUBJECT, OBJECT = "id", "sentence", "subject_entity", "object_entity"
LABEL, SOURCE = "label", "source"
REQUIRED = (ID, SENTENCE, SUBJECT, OBJECT)
KNOWN = (*REQUIRED, LABEL, SOURCE)

MAX_FIELD = 4 * 1024 * 1024
"""Characters a field may have: four times the longest sentence promised, and a bound for a quote never closed."""
MAX_LINE = 4 * MAX_FIELD
"""Characters between two line ends: a bound for files without any."""
NAMES_SHOWN = 8
"""Columns that a message names."""


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


@dataclass(frozen=True, slots=True)
class Table:
    """An open CSV; `records` runs through it once."""

    header: Header
    records: Iterator[Record]
    bom: bool


@contextmanager
def open_table(path: Path, codec: str) -> Iterator[Table]:
    """Open a CSV and read its header.

    Raises:
        InvalidCsv: the file cannot be read as `codec`, or its header lacks or repeats a column; while the
            records run, also for bytes that do not decode and for a line without end.
    """
    with open_text(path, codec) as (file, bom):
        records = _records(path.name, file)
        first = next(records, None)
        if first is None:
            raise InvalidCsv(f"{path.name}: the file is empty")
        _check_header(path.name, first)
        yield Table(Header(first.fields), records, bom)


def _records(name: str, file: TextIOWrapper) -> Iterator[Record]:
    """All records, header first, blank lines left out; after a broken record the next line begins a new one."""
    csv.field_size_limit(MAX_FIELD)  # the csv module knows one limit for all readers
    taken: list[str] = []
    reader = csv.reader(_lines(name, file, taken), strict=True)
    while True:
        line = reader.line_num + 1
        taken.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            yield Record(line, ["".join(taken)], str(fault))
            continue
        if fields:
            yield Record(line, fields)


def _lines(name: str, file: TextIOWrapper, taken: list[str]) -> Iterator[str]:
    """The file's lines; each is also put into `taken`, in case its record cannot be split."""
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise InvalidCsv(f"{name}: a line is longer than {MAX_LINE:,} characters; is this a CSV?")
        taken.append(line)
        yield line


def _check_header(name: str, record: Record) -> None:
    names = record.fields
    separator = next((mark for mark in ";\t|" if mark in names[0]), None)
    if len(names) == 1 and separator:
        raise InvalidCsv(f"{name}: columns are separated by {separator!r}; save it with commas")
    repeated = sorted(column for column, times in Counter(names).items() if column and times > 1)
    if repeated:
        column = shortened(repeated[0])
        raise InvalidCsv(f"{name}: line {record.line}: column {column} stands there twice; remove one")
    missing = [column for column in REQUIRED if column not in names]
    if missing:
        unknown = [column for column in names if column not in KNOWN]
        guesses = [f"{shortened(column)}{did_you_mean(column, missing)}" for column in unknown[:NAMES_SHOWN]]
        guesses += ["..."] if len(unknown) > NAMES_SHOWN else []
        found = f"; not known: {', '.join(guesses)}" if guesses else ""
        raise InvalidCsv(f"{name}: line {record.line}: no column {', '.join(missing)}{found}")
