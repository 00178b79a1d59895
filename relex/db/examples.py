"""Examples into Postgres by COPY, the fastest way, and out of it again: for a worker, or with their predictions."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, Integer, Row, any_, bindparam, select

from relex.db.connection import Transaction, driver
from relex.db.tables import examples, predictions
from relex.domain.examples import Entity, Example, Prediction
from relex.domain.jobs import JobId, Shard

COPY_IN = """
    COPY examples (job_id, row_no, id, sentence, subject_text, subject_start, subject_end, subject_type,
                   object_text, object_start, object_end, object_type, label, source, input_cells)
    FROM STDIN (FORMAT BINARY)
"""
ENTITY = ["text", "int4", "int4", "text"]


def copy_in(tx: Transaction, job_id: JobId, items: Iterable[tuple[Example, str | None]]) -> int:
    """Write the examples of a job and return how many there are; memory does not grow with their number.

    Args:
        tx: the transaction.
        job_id: the job.
        items: each example with those cells of its row that cannot be rebuilt from it (`relex.domain.inputs`), or None.
    """
    with driver(tx).cursor() as cursor:
        with cursor.copy(COPY_IN) as copy:
            copy.set_types(["text", "int4", "text", "text", *ENTITY, *ENTITY, "text", "text", "text"])
            for item, cells in items:
                columns = _columns(item)
                copy.write_row((job_id, item.row_no, item.id, item.sentence, *columns, item.label, item.source, cells))
        return cursor.rowcount


def of_shard(tx: Transaction, shard: Shard) -> list[Example]:
    """Return the examples of a shard in the order of the file."""
    rows = tx.execute(
        select(examples)
        .where(examples.c.job_id == shard.job_id)
        .where(examples.c.row_no.between(shard.first_row, shard.end_row - 1))
        .order_by(examples.c.row_no)
    )
    return [_example(row) for row in rows.all()]


def of_rows(tx: Transaction, job_id: JobId, rows: Sequence[int]) -> dict[int, Example]:
    """Return the examples of these rows of a job by their numbers; a number that the job lacks is left out."""
    # One array, because a statement has at most 65,535 parameters.
    chosen = examples.c.row_no == any_(bindparam("rows", list(rows), ARRAY(Integer)))
    selected = tx.execute(select(examples).where(examples.c.job_id == job_id).where(chosen))
    return {row.row_no: _example(row) for row in selected.all()}


def with_predictions(tx: Transaction, job_id: JobId) -> tuple[list[Example], list[Prediction]]:
    """Return the examples of a job that have a prediction, and these predictions, both in the order of the file.

    Everything is in memory at once: this is for the evaluation of labeled files.
    """
    same = (examples.c.job_id == predictions.c.job_id) & (examples.c.row_no == predictions.c.row_no)
    statement = (
        select(examples, predictions.c.label.label("predicted"), predictions.c.probabilities, predictions.c.truncated)
        .join_from(predictions, examples, same)
        .where(predictions.c.job_id == job_id)
        .order_by(predictions.c.row_no)
    )
    rows = tx.execute(statement).all()
    scored = [Prediction(row.row_no, row.predicted, tuple(row.probabilities), row.truncated) for row in rows]
    return [_example(row) for row in rows], scored


def _columns(item: Example) -> tuple[str | int, ...]:
    subject, object_ = item.subject, item.object
    return (
        *(subject.text, subject.start, subject.end, subject.type),
        *(object_.text, object_.start, object_.end, object_.type),
    )


def _example(row: Row[Any]) -> Example:
    """Return an example from a row that begins with the table's columns in order; by name takes twice as long."""
    columns = tuple(row)
    _, row_no, id_, sentence = columns[:4]
    return Example(row_no, id_, sentence, Entity(*columns[4:8]), Entity(*columns[8:12]), *columns[12:14])
