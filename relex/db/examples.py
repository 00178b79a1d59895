"""Examples into Postgres and predictions out of it, both by COPY, the fastest way in either direction."""

from collections.abc import Generator, Iterable, Iterator
from typing import Any

from psycopg import sql
from sqlalchemy import Row, select

from relex.db.connection import Transaction, driver
from relex.db.tables import examples, predictions, row_errors
from relex.domain.examples import Entity, Example, Prediction
from relex.domain.jobs import JobId, Shard

COPY_IN = """
    COPY examples (job_id, row_no, id, sentence, subject_text, subject_start, subject_end, subject_type,
                   object_text, object_start, object_end, object_type, label, source, input_cells)
    FROM STDIN (FORMAT BINARY)
"""
ENTITY = ["text", "int4", "int4", "text"]

# Postgres writes the CSV itself: no row passes through Python. A real's shortest text reads back to the same bits.
# The rows are sorted before they become text, because a sort of texts would carry twice as much.
COPY_OUT = sql.SQL("""
    COPY (
        SELECT id, label, array_to_json(probabilities) FROM (
            SELECT row_no, examples.id, predictions.label, predictions.probabilities
            FROM predictions JOIN examples USING (job_id, row_no)
            WHERE job_id = {} ORDER BY row_no
        ) AS sorted ORDER BY row_no
    ) TO STDOUT (FORMAT CSV)
""")


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


def copy_out(tx: Transaction, job_id: JobId) -> Generator[bytes | bytearray | memoryview]:
    """Yield a job's predictions as blocks of CSV text: id, label and a JSON list of probabilities, in file order.

    A caller that stops early must close the generator before the transaction can end.
    """
    with driver(tx).cursor() as cursor, cursor.copy(COPY_OUT.format(sql.Literal(job_id))) as copy:
        yield from copy


def errors_of(tx: Transaction, job_id: JobId) -> Iterator[tuple[str, str, str]]:
    """Yield the row errors of a job as (id, code, message), in the order of the file."""
    same = (examples.c.job_id == row_errors.c.job_id) & (examples.c.row_no == row_errors.c.row_no)
    statement = (
        select(examples.c.id, row_errors.c.code, row_errors.c.message)
        .join_from(row_errors, examples, same)
        .where(row_errors.c.job_id == job_id)
        .order_by(row_errors.c.row_no)
    )
    yield from (tuple(row) for row in tx.execution_options(yield_per=1000).execute(statement))


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
