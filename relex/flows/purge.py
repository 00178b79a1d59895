"""Deleting jobs that ended long ago, in steps so small that no other process waits long."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from relex.db import deletion
from relex.db.connection import Database
from relex.domain.jobs import Job

STEP_ROWS = 20_000
"""Number of rows deleted in one transaction, which takes a second at most."""


def to_purge(database: Database, age: timedelta) -> Sequence[Job]:
    """Return the jobs that ended longer ago than `age`, oldest first; nothing is deleted."""
    with database.transaction() as tx:
        return deletion.find_expired(tx, age)


def purge(
    database: Database,
    age: timedelta,
    purged: Callable[[Job], None],
    step_rows: int = STEP_ROWS,
    approve: Callable[[Sequence[Job]], None] = lambda _: None,
) -> int:
    """Delete these jobs and those of an earlier purge that was killed, and return how many.

    Jobs that have not ended are never touched, however old they are.

    Args:
        database: where the jobs are.
        age: how long ago a job has to have ended.
        purged: receives each job after it was deleted.
        step_rows: number of rows deleted in one transaction.
        approve: receives the jobs before any is deleted, unless there are none; raises to keep them.

    Raises:
        DatabaseUnreachable: Postgres went away; the next purge continues.
    """
    jobs = to_purge(database, age)
    if jobs:
        approve(jobs)
    with database.transaction() as tx:
        marked = deletion.find_marked(tx)
    for job in jobs:
        with database.transaction() as tx:
            marked += [job] * deletion.mark(tx, job, age)
    for job in marked:
        _delete(database, job, step_rows)
        purged(job)
    return len(marked)


def _delete(database: Database, job: Job, step_rows: int) -> None:
    for first_row in range(0, job.total, step_rows):
        with database.transaction() as tx:
            deletion.delete_rows(tx, job, first_row, first_row + step_rows)
    with database.transaction() as tx:
        deletion.delete_job(tx, job.id)
