"""What one record is worth: an Example, or everything that is wrong with it.

Both passes over a file, checking and reading, run through :func:`judged`; so they agree on every record.
"""

from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

from relex.csvfile.cells import BadCell, check_sentence, check_text, gold_label
from relex.csvfile.columns import ID, LABEL, OBJECT, SENTENCE, SOURCE, SUBJECT
from relex.csvfile.composing import composed
from relex.csvfile.conventions import Conventions, Votes
from relex.csvfile.decoding import broken_byte
from relex.csvfile.entities import check_apart, read_entity
from relex.csvfile.facts import RowFault
from relex.csvfile.records import INVISIBLE, Header, Record, Table
from relex.csvfile.seen_ids import SeenIds
from relex.errors import counted, quoted
from relex.examples import Entity, Example

Verdict = Example | tuple[RowFault, ...]
Given = ParamSpec("Given")
Value = TypeVar("Value")


def judged(table: Table, conventions: Conventions, votes: Votes | None = None) -> Iterator[tuple[Record, Verdict]]:
    """Each record with its verdict; `row_no` counts the examples from 0.

    An id belongs to the record that uses it first, be that good or bad.

    Args:
        table: an open file of which only the header was read.
        conventions: how its cells are meant (a label column may have empty cells: those examples have no label).
        votes: where to count what the records say about the conventions.
    """
    row_no = 0
    with SeenIds() as seen:
        judge = _Judge(table, conventions, seen, Votes() if votes is None else votes)
        for record in table.records:
            verdict = judge.verdict(record, row_no)
            row_no += isinstance(verdict, Example)
            yield record, verdict


class _Attempts:
    """Reads the cells of one record and collects what is wrong with them."""

    def __init__(self, line: int, id_: str) -> None:
        self.line = line
        self.id = id_
        self.faults: list[RowFault] = []

    def read(
        self, column: str, reader: Callable[Given, Value], *args: Given.args, **kwargs: Given.kwargs
    ) -> Value | None:
        """What the reader makes of the cell, or None after a fault."""
        try:
            return reader(*args, **kwargs)
        except BadCell as bad:
            self.faults.append(bad.fault(self.line, self.id, column))
            return None


class _Judge:
    """The rules for one file."""

    def __init__(self, table: Table, conventions: Conventions, seen: SeenIds, votes: Votes) -> None:
        self.header = table.header
        self.codec = table.codec
        self.pick = table.header.picker
        self.conventions = conventions
        self.seen = seen
        self.votes = votes

    def verdict(self, record: Record, row_no: int) -> Verdict:
        """The record's example, or its faults; a byte that does not decode is the only fault of its record."""
        verdict = self._verdict(record, row_no)
        if isinstance(verdict, Example):
            return verdict
        byte = broken_byte(record.fields, self.codec)
        if byte is None:
            return verdict
        message = f"byte 0x{byte:02x} is not {self.codec}"
        return (RowFault(record.line, verdict[0].id, "", "undecodable", message),)

    def _verdict(self, record: Record, row_no: int) -> Verdict:
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


def _split_fault(record: Record, header: Header) -> RowFault | None:
    """The fault of a record that does not have the header's columns, or repeats the header."""
    if record.broken:
        message = f"cannot be split into columns ({record.broken}); is a quote missing or not doubled?"
        return RowFault(record.line, None, "", "broken-quotes", message)
    if len(record.fields) != len(header.names):
        counts = f"has {counted(len(record.fields), 'field')}, the header has {len(header.names)}"
        return RowFault(record.line, None, "", "field-count", f"{counts}; is a comma not quoted?")
    if [cell.strip(INVISIBLE) for cell in record.fields] == header.names:
        message = "the header again, as where files are joined; remove this line"
        return RowFault(record.line, None, "", "repeated-header", message)
    return None
