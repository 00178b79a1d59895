"""Which ids a file has used so far, on disk.

Ten million ids as Python strings take about a gigabyte. SQLite's nameless database is a temporary file that
is only written once it outgrows its cache, and is gone when closed.

What one record is worth: an Example, or everything that is wrong with it.

Both passes over a file, checking and reading, run through :func:`judged`; so they agree on every record.
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


class SeenIds(AbstractContextManager["SeenIds"]):
    """A set of ids that remembers the line of each one's first use."""

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
        """The line on which this id came first: `line` itself for a new one, which is then remembered.

        Raises:
            Transient: the folder for temporary files is full.
        """
        try:
            self._cursor.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (id_, line))
        except sqlite3.OperationalError as fault:
            raise Transient(
                f"ids cannot be kept in the temporary folder: {fault}; set TMPDIR to a larger one"
            ) from fault
        if self._cursor.rowcount:
            return line
        found = self._cursor.execute("SELECT line FROM seen WHERE id = ?", (id_,)).fetchone()
        return int(found[0])


CheckedRecord = Example | tuple[RowProblem, ...]
Given = ParamSpec("Given")
Value = TypeVar("Value")


def check_record(
    table: Table, conventions: Conventions, votes: Votes | None = None
) -> Iterator[tuple[Record, CheckedRecord]]:
    """Each record with its verdict; `row_no` counts the examples from 0.

    An id belongs to the record that uses it first, be that good or bad.

    Args:
        table: an open file of which only the header was read.
        conventions: how its cells are meant (a label column may have empty cells: those examples have no label).
        votes: where to count what the records say about the conventions.
    """
    row_no = 0
    with SeenIds() as seen:
        judge = _RecordChecker(table, conventions, seen, Votes() if votes is None else votes)
        for record in table.records:
            verdict = judge.verdict(record, row_no)
            row_no += isinstance(verdict, Example)
            yield record, verdict


class _Attempts:
    """Reads the cells of one record and collects what is wrong with them."""

    def __init__(self, line: int, id_: str) -> None:
        self.line = line
        self.id = id_
        self.faults: list[RowProblem] = []

    def read(
        self, column: str, reader: Callable[Given, Value], *args: Given.args, **kwargs: Given.kwargs
    ) -> Value | None:
        """What the reader makes of the cell, or None after a fault."""
        try:
            return reader(*args, **kwargs)
        except BadCell as bad:
            self.faults.append(bad.fault(self.line, self.id, column))
            return None


class _RecordChecker:
    """The rules for one file."""

    def __init__(self, table: Table, conventions: Conventions, seen: SeenIds, votes: Votes) -> None:
        self.header = table.header
        self.codec = table.codec
        self.pick = table.header.picker
        self.conventions = conventions
        self.seen = seen
        self.votes = votes

    def verdict(self, record: Record, row_no: int) -> CheckedRecord:
        """The record's example, or its faults; a byte that does not decode is the only fault of its record."""
        verdict = self._verdict(record, row_no)
        if isinstance(verdict, Example):
            return verdict
        byte = broken_byte(record.fields, self.codec)
        if byte is None:
            return verdict
        message = f"byte 0x{byte:02x} is not {self.codec}"
        return (RowProblem(record.line, verdict[0].id, "", "undecodable", message),)

    def _verdict(self, record: Record, row_no: int) -> CheckedRecord:
        """As :meth:`verdict`; the entities of a bad sentence are not looked at."""
        wrong = _split_fault(record, self.header)
        if wrong:
            return (wrong,)
        id_, sentence, subject_cell, object_cell, label_cell, source = self.pick([*record.fields, ""])
        cells = _Attempts(record.line, id_)
        cells.read(ID, self._check_id, id_, record.line)
        cells.read(SOURCE, check_text, source)
        self.votes.label(label_cell)
        label = cells.read(LABEL, self._label, label_cell)
        if not cells.read(SENTENCE, check_sentence, sentence):
            return tuple(cells.faults)
        subject = cells.read(SUBJECT, self._entity, subject_cell, sentence)
        object_ = cells.read(OBJECT, self._entity, object_cell, sentence)
        if subject and object_:
            cells.read(OBJECT, check_apart, subject, object_)
        if cells.faults or not subject or not object_:
            return tuple(cells.faults)
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
        except BadCell as bad:
            self.votes.misplaced += bad.other_end
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


def _split_fault(record: Record, header: Header) -> RowProblem | None:
    """The fault of a record that does not have the header's columns, or repeats the header."""
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
