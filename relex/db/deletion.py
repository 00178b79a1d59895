"""Deleting jobs that ended long ago, a bounded number of rows a transaction.

A job is marked first: from then on nobody finds it, and its idempotency key is free. An export that has begun still
reads all of its snapshot. A purge that is killed midway leaves a marked job to the next one. Answers go with their job.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, false, func, select, update

from relex.db.connection import Transaction
from relex.db.jobs import matching
from relex.db.tables import examples, jobs, predictions, row_errors
from relex.domain.jobs import Job, JobId


def expired(tx: Transaction, age: timedelta) -> list[Job]:
    """The jobs that ended longer ago than that on the database's clock, oldest first."""
    return matching(tx, _expired(age))


def mark(tx: Transaction, job: Job, age: timedelta) -> bool:
    """Hide such a job from everybody; False where it was retried or purged in the meantime."""
    # Who may not delete finds it out here, before a job is hidden: Postgres asks for the right even of no rows.
    for table in (predictions, row_errors, examples, jobs):
        tx.execute(delete(table).where(false()))
    gone = {"purged_at": func.clock_timestamp(), "idempotency_key": jobs.c.idempotency_key + ":" + jobs.c.id}
    return tx.execute(update(jobs).where(jobs.c.id == job.id, _expired(age)).values(**gone)).rowcount == 1


def marked(tx: Transaction) -> list[Job]:
    """The hidden jobs that a purge left when it was killed, or is deleting at this moment."""
    return matching(tx, jobs.c.purged_at.is_not(None))


def delete_rows(tx: Transaction, job: Job, first_row: int, end_row: int) -> None:
    """Delete what is there of a marked job's rows `first_row` to `end_row` (exclusive)."""
    one_after_the_other = select(jobs.c.id).where(jobs.c.id == job.id).with_for_update(key_share=True)
    tx.execute(one_after_the_other)
    for table in (predictions, row_errors, examples):
        rows = table.c.row_no.between(first_row, end_row - 1)
        tx.execute(delete(table).where(table.c.job_id == job.id, rows))


def delete_job(tx: Transaction, job_id: JobId) -> None:
    """Delete a marked job with its shards; its rows are gone by now."""
    tx.execute(delete(jobs).where(jobs.c.id == job_id))


def _expired(age: timedelta) -> ColumnElement[bool]:
    return (jobs.c.finished_at < func.now() - age) & jobs.c.purged_at.is_(None)
