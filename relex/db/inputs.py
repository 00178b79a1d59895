"""The input of a job: the names of its columns, and the cells of each row, byte for byte as they came in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from sqlalchemy import select

from relex.db.connection import Transaction
from relex.db.tables import jobs
from relex.domain.examples import Entity, Example
from relex.domain.inputs import KLUE, RecordedColumns
from relex.domain.jobs import JobId

SELECT = sql.SQL("""
    examples.id, examples.sentence,
    examples.subject_text, examples.subject_start, examples.subject_end, examples.subject_type,
    examples.object_text, examples.object_start, examples.object_end, examples.object_type,
    examples.label, examples.source, examples.input_cells
""")
TYPES = ("text", "text", *("text", "int4", "int4", "text") * 2, "text", "text", "text")


@dataclass(frozen=True, slots=True)
class InputColumns:
    """The input columns of one job, and how a query over `examples` reads their cells."""

    names: tuple[str, ...]
    """Names in the order of the file."""
    select: sql.Composable
    """What a query selects from `examples`."""
    types: tuple[str, ...]
    """Postgres types of the selected values."""
    cells: Callable[[Sequence[Any]], tuple[str, ...]]
    """Returns the cells of a row, one for each name, from the selected values."""


def input_columns(tx: Transaction, job_id: JobId) -> InputColumns:
    """Return the input columns of a job; those of KLUE-RE if they were not recorded."""
    data = tx.scalar(select(jobs.c.columns).where(jobs.c.id == job_id))
    columns = KLUE if data is None else RecordedColumns.from_dict(data)
    rebuilders = columns.rebuilders()

    def cells(values: Sequence[Any]) -> tuple[str, ...]:
        return tuple(columns.cells(rebuilders, _example(0, values), values[12]))

    return InputColumns(columns.names, SELECT, TYPES, cells)


def described_columns() -> InputColumns:
    """Return the sentence and both entities of a row as a person reads them, whatever columns the input has."""
    return InputColumns(("sentence", "subject", "object"), SELECT, TYPES, _described)


def computed_columns(names: Sequence[str], cells: Callable[[Example], tuple[str, ...]]) -> InputColumns:
    """Return columns whose cells a function computes from each example."""
    select_ = sql.SQL("{}, row_no").format(SELECT)
    return InputColumns(tuple(names), select_, (*TYPES, "int4"), lambda values: cells(_example(values[13], values)))


def _example(row_no: int, values: Sequence[Any]) -> Example:
    id_, sentence = values[:2]
    return Example(row_no, id_, sentence, Entity(*values[2:6]), Entity(*values[6:10]), *values[10:12])


def _described(values: Sequence[Any]) -> tuple[str, ...]:
    return values[1], f"{values[2]} ({values[5]})", f"{values[6]} ({values[9]})"
