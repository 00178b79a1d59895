"""Deletion of jobs that ended long ago, with a bounded number of rows per transaction.

A job is marked first: from then on no query finds it, and its idempotency key is free. A running export still
sees its complete snapshot. A purge that is killed midway leaves the marked job to the next one. Cached predictions are
deleted with their job.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, false, func, select, update

from relex.db.connection import Transaction
from relex.db.jobs import matching
from relex.db.tables import examples, jobs, predictions, row_errors, row_labels
from relex.domain.jobs import Job, JobId


def find_expired(tx: Transaction, age: timedelta) -> list[Job]:
    """Return the jobs that ended longer ago than `age` on the database's clock, oldest first."""
    return matching(tx, _is_expired(age))


def mark(tx: Transaction, job: Job, age: timedelta) -> bool:
    """Hide an expired job from every query; return False if it was retried or purged in the meantime."""
    # A role that may not delete fails here, before a job is hidden: Postgres checks the privilege even for no rows.
    for table in (row_labels, predictions, row_errors, examples, jobs):
        tx.execute(delete(table).where(false()))
    values = {"purged_at": func.clock_timestamp(), "idempotency_key": jobs.c.idempotency_key + ":" + jobs.c.id}
    return tx.execute(update(jobs).where(jobs.c.id == job.id, _is_expired(age)).values(**values)).rowcount == 1


def find_marked(tx: Transaction) -> list[Job]:
    """Return the hidden jobs: a purge that was killed left them, or a running one is deleting them."""
    return matching(tx, jobs.c.purged_at.is_not(None))


def delete_rows(tx: Transaction, job: Job, first_row: int, end_row: int) -> None:
    """Delete the rows `first_row` to `end_row` (exclusive) of a marked job, as far as they exist."""
    tx.execute(select(jobs.c.id).where(jobs.c.id == job.id).with_for_update(key_share=True))  # one purge at a time
    for table in (row_labels, predictions, row_errors, examples):
        rows = table.c.row_no.between(first_row, end_row - 1)
        tx.execute(delete(table).where(table.c.job_id == job.id, rows))


def delete_job(tx: Transaction, job_id: JobId) -> None:
    """Delete a marked job and its shards, after its rows."""
    tx.execute(delete(jobs).where(jobs.c.id == job_id))


def _is_expired(age: timedelta) -> ColumnElement[bool]:
    return (jobs.c.finished_at < func.now() - age) & jobs.c.purged_at.is_(None)
