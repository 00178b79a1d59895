"""What one record is worth: an Example, or everything that is wrong with it.

Both passes over a file, checking and reading, run through :func:`judged`; so they agree on every record.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from relex.csvfile.cells import BadCell, check_sentence, check_text, gold_label
from relex.csvfile.entities import check_apart, read_entity
from relex.csvfile.facts import RowFault
from relex.csvfile.records import (
    ID,
    KNOWN,
    LABEL,
    OBJECT,
    SENTENCE,
    SOURCE,
    SUBJECT,
    Header,
    Record,
    Table,
    open_table,
)
from relex.csvfile.seen_ids import SeenIds
from relex.errors import InvalidCsv
from relex.examples import Example
from relex.labels import RELATIONS

Verdict = Example | tuple[RowFault, ...]
Given = ParamSpec("Given")
Value = TypeVar("Value")


class PlaceholderRefuted(InvalidCsv):
    """The label column holds more than the one value it was thought to hold."""


def suspected_placeholder(path: Path, codec: str) -> str | None:
    """The file's first label if it is no relation: perhaps every record holds it, and it means "unknown".

    Raises:
        InvalidCsv: the file cannot be opened as a table.
    """
    with open_table(path, codec) as table:
        for record in table.records:
            if not _split_fault(record, table.header):
                label = table.header.picker([*record.fields, ""])[KNOWN.index(LABEL)]
                return label if label and label not in RELATIONS else None
    return None


def judged(table: Table, placeholder: str | None) -> Iterator[tuple[Record, Verdict]]:
    """Each record with its verdict; `row_no` counts the examples from 0.

    An id belongs to the record that uses it first, be that good or bad.

    Args:
        table: an open file of which only the header was read.
        placeholder: the one value of the label column that means "no label", or None if its values are gold
            (a gold column may have empty cells: those examples have no label).

    Raises:
        PlaceholderRefuted: a record holds another label than the placeholder.
    """
    row_no = 0
    with SeenIds() as seen:
        judge = _Judge(table.header, placeholder, seen)
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

    def __init__(self, header: Header, placeholder: str | None, seen: SeenIds) -> None:
        self.header = header
        self.pick = header.picker
        self.placeholder = placeholder
        self.seen = seen

    def verdict(self, record: Record, row_no: int) -> Verdict:
        """The record's example, or its faults; the entities of a bad sentence are not looked at."""
        wrong = _split_fault(record, self.header)
        if wrong:
            return (wrong,)
        id_, sentence, subject_cell, object_cell, label_cell, source = self.pick([*record.fields, ""])
        cells = _Attempts(record.line, id_)
        cells.read(ID, self._check_id, id_, record.line)
        cells.read(SOURCE, check_text, source)
        label = cells.read(LABEL, self._label, label_cell)
        if not cells.read(SENTENCE, check_sentence, sentence):
            return tuple(cells.faults)
        subject = cells.read(SUBJECT, read_entity, subject_cell, sentence)
        object_ = cells.read(OBJECT, read_entity, object_cell, sentence)
        if subject and object_:
            cells.read(OBJECT, check_apart, subject, object_)
        if cells.faults or not subject or not object_:
            return tuple(cells.faults)
        return Example(row_no, id_, sentence, subject, object_, label, source or None)

    def _check_id(self, id_: str, line: int) -> None:
        if not id_:
            raise BadCell("missing-id", "the id is empty")
        check_text(id_)
        first = self.seen.first_use(id_, line)
        if first != line:
            raise BadCell("duplicate-id", f"this id was used on line {first}")

    def _label(self, cell: str) -> str | None:
        if self.placeholder is None:
            return gold_label(cell)
        if cell != self.placeholder:
            raise PlaceholderRefuted(f"column {LABEL} does not hold {self.placeholder} in every row")
        return None


def _split_fault(record: Record, header: Header) -> RowFault | None:
    """The fault of a record that does not have the header's columns."""
    if record.broken:
        message = f"cannot be split into columns ({record.broken}); is a quote missing or not doubled?"
        return RowFault(record.line, None, "", "broken-quotes", message)
    if len(record.fields) != len(header.names):
        counts = f"has {len(record.fields)} fields, the header has {len(header.names)}"
        return RowFault(record.line, None, "", "field-count", f"{counts}; is a comma not quoted?")
    return None
