"""From a record to an Example, or to everything that is wrong with it.

Checking a file and reading it both use :func:`check_records`, so they agree on every record.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar

from relex.domain.examples import Entity, Example
from relex.errors import Transient, counted, quoted
from relex.files.columns import (
    ID,
    LABEL,
    OBJECT,
    SENTENCE,
    SOURCE,
    SUBJECT,
    BadCell,
    check_sentence,
    check_text,
    gold_label,
)
from relex.files.conventions import Conventions, Votes
from relex.files.entities import check_apart, read_entity
from relex.files.lookalikes import composed
from relex.files.problems import RowProblem
from relex.files.records import INVISIBLE, Header, Record, Table
from relex.files.text import broken_byte

CACHE_KIB = 64 * 1024

CheckedRecord = Example | tuple[RowProblem, ...]
Params = ParamSpec("Params")
Result = TypeVar("Result")


class SeenIds(AbstractContextManager["SeenIds"]):
    """The ids of a file with the line of their first use, kept on disk.

    Ten million ids as Python strings take about a gigabyte. SQLite's unnamed database is a temporary file, which is
    written only when it outgrows its cache, and deleted when it is closed.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in (f"cache_size = -{CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._database.execute("BEGIN")
        self._cursor = self._database.cursor()

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def first_use(self, id_: str, line: int) -> int:
        """Return the line on which this id was used first; a new id is recorded with `line`.

        Raises:
            Transient: the folder for temporary files is full.
        """
        try:
            self._cursor.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (id_, line))
        except sqlite3.OperationalError as error:
            raise Transient(
                f"ids cannot be stored in the temporary folder: {error}; set TMPDIR to a larger one"
            ) from error
        if self._cursor.rowcount:
            return line
        (first_line,) = self._cursor.execute("SELECT line FROM seen WHERE id = ?", (id_,)).fetchone()
        return int(first_line)


def check_records(
    table: Table, conventions: Conventions, votes: Votes | None = None
) -> Iterator[tuple[Record, CheckedRecord]]:
    """Yield each record with its example or its problems; `row_no` counts the examples from 0.

    An id belongs to the record that uses it first, whether that is valid or not.

    Args:
        table: an open file of which only the header was read.
        conventions: how its cells are read (a label column may have empty cells: those examples have no label).
        votes: counts of rows that agree or disagree with the conventions; updated here.
    """
    row_no = 0
    with SeenIds() as seen:
        checker = _RecordChecker(table, conventions, seen, Votes() if votes is None else votes)
        for record in table.records:
            checked = checker.check(record, row_no)
            row_no += isinstance(checked, Example)
            yield record, checked


class _CellReader:
    """A reader of the cells of one record that collects their problems."""

    def __init__(self, line: int, id_: str) -> None:
        self.line = line
        self.id = id_
        self.problems: list[RowProblem] = []

    def read(
        self, column: str, reader: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result | None:
        """Return the result of the reader, or None if the cell is invalid."""
        try:
            return reader(*args, **kwargs)
        except BadCell as error:
            self.problems.append(error.problem(self.line, self.id, column))
            return None


class _RecordChecker:
    """The checks of the records of one file."""

    def __init__(self, table: Table, conventions: Conventions, seen: SeenIds, votes: Votes) -> None:
        self.header = table.header
        self.codec = table.codec
        self.pick = table.header.picker
        self.conventions = conventions
        self.seen = seen
        self.votes = votes

    def check(self, record: Record, row_no: int) -> CheckedRecord:
        """Return the record's example or its problems; an undecodable byte is the only problem of its record."""
        checked = self._check_fields(record, row_no)
        if isinstance(checked, Example):
            return checked
        byte = broken_byte(record.fields, self.codec)
        if byte is None:
            return checked
        message = f"byte 0x{byte:02x} is not {self.codec}"
        return (RowProblem(record.line, checked[0].id, "", "undecodable", message),)

    def _check_fields(self, record: Record, row_no: int) -> CheckedRecord:
        """Return the record's example or its problems; the entities of an invalid sentence are not checked."""
        problem = _shape_problem(record, self.header)
        if problem:
            return (problem,)
        id_, sentence, subject_cell, object_cell, label_cell, source = self.pick([*record.fields, ""])
        cells = _CellReader(record.line, id_)
        cells.read(ID, self._check_id, id_, record.line)
        cells.read(SOURCE, check_text, source)
        self.votes.add_label(label_cell)
        label = cells.read(LABEL, self._label, label_cell)
        if not cells.read(SENTENCE, check_sentence, sentence):
            return tuple(cells.problems)
        subject = cells.read(SUBJECT, self._entity, subject_cell, sentence)
        object_ = cells.read(OBJECT, self._entity, object_cell, sentence)
        if subject and object_:
            cells.read(OBJECT, check_apart, subject, object_)
        if cells.problems or not subject or not object_:
            return tuple(cells.problems)
        whole = composed(sentence)
        self.votes.composed += whole is not sentence
        return Example(row_no, id_, whole, subject, object_, label, composed(source) or None)

    def _check_id(self, id_: str, line: int) -> None:
        if not id_:
            raise BadCell("missing-id", "the id is empty")
        check_text(id_)
        first = self.seen.first_use(id_, line)
        if first != line:
            raise BadCell("duplicate-id", f"this id was used on line {first}")

    def _entity(self, cell: str, sentence: str) -> Entity:
        try:
            entity = read_entity(cell, sentence, end_exclusive=self.conventions.end_exclusive)
        except BadCell as error:
            self.votes.misplaced += error.other_end
            raise
        self.votes.placed += 1
        return entity

    def _label(self, cell: str) -> str | None:
        placeholder = self.conventions.placeholder
        if cell == placeholder:
            return None
        if cell and placeholder is not None:
            raise BadCell("unknown-label", f"{quoted(cell)} in a column of which most rows hold {quoted(placeholder)}")
        return gold_label(cell)


def _shape_problem(record: Record, header: Header) -> RowProblem | None:
    """Return the problem of a record that does not have the header's columns or repeats the header."""
    if record.broken:
        message = f"cannot be split into columns ({record.broken}); is a quote missing or not doubled?"
        return RowProblem(record.line, None, "", "broken-quotes", message)
    if len(record.fields) != len(header.names):
        counts = f"has {counted(len(record.fields), 'field')}, the header has {len(header.names)}"
        return RowProblem(record.line, None, "", "field-count", f"{counts}; is a comma not quoted?")
    if [cell.strip(INVISIBLE) for cell in record.fields] == header.names:
        message = "the header again, as where files are joined; remove this line"
        return RowProblem(record.line, None, "", "repeated-header", message)
    return None
