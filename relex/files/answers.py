"""Answers that people gave to a review, read from its table, from Label Studio or from Argilla.

The table is what `relex review` wrote, or what Label Studio exports as CSV or JSON_MIN: there the fields of a task
stand beside the answer, and a row with several annotators has several lines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from relex.domain.review import DrawnBy, Stratum
from relex.errors import InvalidCsv, quoted
from relex.files.annotations import argilla_answers, label_studio_answers, metadata_of, plain_answers, task_data
from relex.files.columns import BadCell, gold_label
from relex.files.forms.form import Record
from relex.files.forms.tables import open_table
from relex.files.inputs import InputFile
from relex.files.problems import RowProblem
from relex.files.reviews import ANSWER
from relex.hints import jobs as hints

Cells = Mapping[str, str]
READERS: tuple[tuple[frozenset[str], Callable[[Cells], dict[str, str]], Callable[[Cells], list[str]]], ...] = (
    (frozenset({"annotations", "data"}), task_data, label_studio_answers),
    (frozenset({"fields", "responses", "metadata"}), metadata_of, argilla_answers),
    (frozenset({ANSWER, "row_no"}), dict, plain_answers),
)
"""Columns by which a form is recognized, and what reads the facts and the answers of its rows."""


@dataclass(frozen=True, slots=True)
class ReviewedRow:
    """A row of a file of answers."""

    place: str
    """File and line, for messages."""
    line: int
    row_no: int
    job: str
    """Id of its job; empty if the file does not say."""
    id: str
    text: str
    answers: tuple[str, ...]
    """Labels that people gave to it, one for each person who did."""
    drawn_by: DrawnBy | None
    stratum: Stratum | None


@dataclass(slots=True)
class AnswerFile:
    """The rows of one file, and what is wrong with the others."""

    name: str
    unit: str
    """What the numbers of its rows count."""
    rows: list[ReviewedRow] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)


def read_answers(file: InputFile) -> AnswerFile:
    """Read a file of answers.

    Raises:
        InvalidCsv: it is not a review, or cannot be read at all.
    """
    answers = AnswerFile(file.name, file.form.unit)
    with open_table(file.path, file.name, file.form) as table:
        names = set(table.names)
        reader = next((reader for reader in READERS if reader[0] <= names), None)
        if reader is None:
            raise InvalidCsv(
                f"{file.name}: {file.form.unit} {table.header}: no review: it lacks the columns {ANSWER} and row_no, "
                f"and is no export of Label Studio or Argilla; {hints.write_review()}"
            )
        for record in table.records:
            try:
                _check_shape(record, table.names)
                answers.rows.append(_row(file.name, answers.unit, record, table.names, reader[1:]))
            except _BadRow as exc:
                answers.problems.append(exc.cell.problem(record.number, exc.id, exc.column))
    return answers


class _BadRow(Exception):
    """A row that cannot be read, and the column that is to blame."""

    def __init__(self, column: str, cell: BadCell, id_: str | None = None) -> None:
        super().__init__(column)
        self.column = column
        self.cell = cell
        self.id = id_


def _check_shape(record: Record, names: list[str]) -> None:
    if record.broken:
        raise _BadRow("", BadCell(*record.broken))
    if len(record.fields) != len(names):
        message = f"has {len(record.fields)} fields, the header has {len(names)}"
        raise _BadRow("", BadCell("field-count", message))
    if record.fields == names:
        raise _BadRow("", BadCell("repeated-header", "the header again, as where files are joined; remove this line"))


def _row(name: str, unit: str, record: Record, names: list[str], reader: tuple[Any, Any]) -> ReviewedRow:
    read_facts, read_labels = reader
    cells = dict(zip(names, record.fields, strict=True))
    facts = _blaming("", None, read_facts, cells)
    id_ = facts.get("id")
    labels = [_blaming(ANSWER, id_, gold_label, label) for label in _blaming(ANSWER, id_, read_labels, cells)]
    return ReviewedRow(
        place=f"{name} {unit} {record.number}",
        line=record.number,
        row_no=_blaming("row_no", id_, _row_number, facts.get("row_no", "")),
        job=facts.get("job", ""),
        id=facts.get("id", ""),
        text=facts.get("text", ""),
        answers=tuple(label for label in labels if label),
        drawn_by=next((way for way in DrawnBy if way == facts.get("drawn_by")), None),
        stratum=_blaming("stratum_rows", id_, _stratum, facts),
    )


def _blaming(column: str, id_: str | None, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except BadCell as exc:
        raise _BadRow(exc.part or column, exc, id_) from exc


def _row_number(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit()):
        raise BadCell("bad-row-number", f"{quoted(cell)} is not the number of a row of the job")
    return int(cell)


def _stratum(facts: Mapping[str, str]) -> Stratum | None:
    name, rows = facts.get("stratum", ""), facts.get("stratum_rows", "")
    stratum = Stratum.parse(name, rows)
    if stratum is None and (name or rows):
        raise BadCell("bad-stratum", f"{quoted(rows)} is not a number of rows; restore it, or empty the stratum too")
    return stratum
