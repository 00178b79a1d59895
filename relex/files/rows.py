"""From a record to an Example, or to everything that is wrong with it.

Checking a file and reading it both use :func:`check_records`, so they agree on every record.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar

from relex.domain.examples import Example
from relex.errors import Transient, counted, quoted, shortened
from relex.files.column_mapping import ColumnMapping
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
from relex.files.forms.encodings import broken_byte
from relex.files.forms.form import INVISIBLE, Record, Table
from relex.files.lookalikes import composed
from relex.files.problems import RowProblem

CACHE_KIB = 64 * 1024
HALF_A_PAIR = "holds half a surrogate pair, which is no character"
SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}

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
    table: Table, mapping: ColumnMapping, conventions: Conventions, votes: Votes | None = None
) -> Iterator[tuple[Record, CheckedRecord]]:
    """Yield each record with its example or its problems; `row_no` counts the examples from 0.

    An id belongs to the record that uses it first, whether that is valid or not.

    Args:
        table: an open file of which only the header was read.
        mapping: which column holds what.
        conventions: how its cells are read (a label column may have empty cells: those examples have no label).
        votes: counts of rows that agree or disagree with the conventions; updated here.
    """
    row_no = 0
    with SeenIds() as seen:
        checker = _RecordChecker(table, mapping, conventions, seen, Votes() if votes is None else votes)
        for index, record in enumerate(table.records):
            checked = checker.check(record, index, row_no)
            row_no += isinstance(checked, Example)
            yield record, checked


class _CellReader:
    """A reader of the cells of one record that collects their problems."""

    def __init__(self, line: int, id_: str, mapping: ColumnMapping) -> None:
        self.line = line
        self.id = id_
        self.mapping = mapping
        self.problems: list[RowProblem] = []

    def read(
        self, column: str, reader: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result | None:
        """Return the result of the reader, or None if the cell is invalid."""
        try:
            return reader(*args, **kwargs)
        except BadCell as error:
            self.problems.append(error.problem(self.line, self.id, shortened(self.mapping.name_of(column, error.part))))
            return None


class _RecordChecker:
    """The checks of the records of one file."""

    def __init__(
        self, table: Table, mapping: ColumnMapping, conventions: Conventions, seen: SeenIds, votes: Votes
    ) -> None:
        self.form = table.form
        self.names = table.names
        self.mapping = mapping
        self.pick_id, self.pick_sentence, self.pick_label, self.pick_source = map(
            mapping.pick, (ID, SENTENCE, LABEL, SOURCE)
        )
        self.pick_subject, self.pick_object = map(mapping.pick_entity, (SUBJECT, OBJECT))
        self.conventions = conventions
        self.seen = seen
        self.votes = votes

    def check(self, record: Record, index: int, row_no: int) -> CheckedRecord:
        """Return the record's example or its problems; an undecodable byte is the only problem of its record.

        Args:
            record: one record of the file.
            index: its position among all records, from 0: its id where the file has none.
            row_no: the number of the example.
        """
        checked = self._check_fields(record, index, row_no)
        encodable = _encodable(record.fields)
        if encodable and isinstance(checked, Example):
            return checked
        byte = None if encodable else broken_byte(record.fields, self.form.codec)
        if byte is not None:
            id_ = checked.id if isinstance(checked, Example) else checked[0].id
            return (RowProblem(record.number, id_, "", "undecodable", f"byte 0x{byte:02x} is not {self.form.codec}"),)
        return self._unstorable(record, checked) if isinstance(checked, Example) else checked

    def _unstorable(self, record: Record, example: Example) -> CheckedRecord:
        """Return the problem of a cell that is kept for the export only and cannot be stored."""
        column = next(name for name, cell in zip(self.names, record.fields, strict=True) if not _encodable([cell]))
        return (RowProblem(record.number, example.id, shortened(column), "unstorable-character", HALF_A_PAIR),)

    def _check_fields(self, record: Record, index: int, row_no: int) -> CheckedRecord:
        """Return the record's example or its problems; the entities of an invalid sentence are not checked."""
        problem = self._shape_problem(record)
        if problem:
            return (problem,)
        fields = [*record.fields, ""]
        id_ = str(index) if self.mapping.numbered else self.pick_id(fields)
        sentence, label_cell, source = self.pick_sentence(fields), self.pick_label(fields), self.pick_source(fields)
        cells = _CellReader(record.number, id_, self.mapping)
        if not self.mapping.numbered:
            cells.read(ID, self._check_id, id_, record.number)
        cells.read(SOURCE, check_text, source)
        self.votes.add_label(label_cell)
        label = cells.read(LABEL, self._label, label_cell)
        if not cells.read(SENTENCE, check_sentence, sentence):
            return tuple(cells.problems)
        arguments = sentence, self.conventions, self.votes
        subject = cells.read(SUBJECT, read_entity, self.pick_subject(fields), *arguments)
        object_ = cells.read(OBJECT, read_entity, self.pick_object(fields), *arguments)
        if subject and object_:
            cells.read(OBJECT, check_apart, subject, object_)
        if cells.problems or not subject or not object_:
            return tuple(cells.problems)
        whole = composed(sentence)
        self.votes.composed += whole is not sentence
        return Example(row_no, id_, whole, subject, object_, label, composed(source) or None)

    def _check_id(self, id_: str, number: int) -> None:
        if not id_:
            raise BadCell("missing-id", "the id is empty")
        check_text(id_)
        first = self.seen.first_use(id_, number)
        if first != number:
            raise BadCell("duplicate-id", f"this id was used on {self.form.unit} {first}")

    def _label(self, cell: str) -> str | None:
        placeholder = self.conventions.placeholder
        if cell == placeholder:
            return None
        if cell and placeholder is not None:
            raise BadCell("unknown-label", f"{quoted(cell)} in a column of which most rows hold {quoted(placeholder)}")
        return gold_label(cell)

    def _shape_problem(self, record: Record) -> RowProblem | None:
        """Return the problem of a record that does not have the header's columns or repeats the header."""
        fields, names = record.fields, self.names
        if record.broken:
            return RowProblem(record.number, None, "", *record.broken)
        if len(fields) != len(names):
            mark = SEPARATOR_NAMES.get(self.form.delimiter, "separator")
            advice = f"; is a {mark} not quoted?" if self.form.format == "csv" else ""
            message = f"has {counted(len(fields), 'field')}, the header has {len(names)}{advice}"
            return RowProblem(record.number, None, "", "field-count", message)
        if fields[0].strip(INVISIBLE) == names[0] and [cell.strip(INVISIBLE) for cell in fields] == names:
            message = "the header again, as where files are joined; remove this line"
            return RowProblem(record.number, None, "", "repeated-header", message)
        return None


def _encodable(cells: Sequence[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True
