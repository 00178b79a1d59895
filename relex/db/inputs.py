"""The input of a job as it stands in Postgres: the names of its columns, and the cells of each row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from relex.db.connection import Transaction
from relex.domain.jobs import JobId

EXAMPLE = sql.SQL("""
    examples.id, examples.sentence,
    examples.subject_text, examples.subject_start, examples.subject_end, examples.subject_type,
    examples.object_text, examples.object_start, examples.object_end, examples.object_type,
    examples.label, examples.source
""")
EXAMPLE_TYPES = ("text", "text", *("text", "int4", "int4", "text") * 2, "text", "text")
EXAMPLE_NAMES = ("id", "sentence", "subject_entity", "object_entity", "label", "source")


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


def input_columns(tx: Transaction, job_id: JobId) -> InputColumns:  # noqa: ARG001 - every job has the same columns today
    """Return the input columns of a job.

    They are the columns that relex reads, made from the example: an entity is a Python dict whose `end_idx` is
    inclusive, and a label or a source that the file lacks is an empty cell.
    """
    return InputColumns(EXAMPLE_NAMES, EXAMPLE, EXAMPLE_TYPES, _cells)


def described_columns() -> InputColumns:
    """Return the sentence and both entities of a row as a person reads them, whatever columns the input has."""
    return InputColumns(("sentence", "subject", "object"), EXAMPLE, EXAMPLE_TYPES, _described)


def _described(values: Sequence[Any]) -> tuple[str, ...]:
    return values[1], f"{values[2]} ({values[5]})", f"{values[6]} ({values[9]})"


def _cells(values: Sequence[Any]) -> tuple[str, ...]:
    id_, sentence = values[:2]
    label, source = values[10:]
    return id_, sentence, _entity(*values[2:6]), _entity(*values[6:10]), label or "", source or ""


def _entity(word: str, start: int, end: int, type_: str) -> str:
    return str({"word": word, "start_idx": start, "end_idx": end - 1, "type": type_})
