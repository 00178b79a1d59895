"""Deleting jobs that ended long ago, with all that belongs to them, in steps that hold nobody up for long."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from relex.db import deletion
from relex.db.connection import Database
from relex.domain.jobs import Job

STEP_ROWS = 20_000
"""Rows a transaction: a second's work at most."""


def to_purge(database: Database, age: timedelta) -> Sequence[Job]:
    """The jobs that ended longer ago than `age`, oldest first; nothing is deleted."""
    with database.transaction() as tx:
        return deletion.expired(tx, age)


def purge(
    database: Database,
    age: timedelta,
    purged: Callable[[Job], None],
    step_rows: int = STEP_ROWS,
    approve: Callable[[Sequence[Job]], None] = lambda _: None,
) -> int:
    """Delete these jobs, and what an earlier purge left when it was killed, and count them.

    Jobs that have not ended are never touched, however old they are.

    Args:
        database: where the jobs are.
        age: how long ago a job has to have ended.
        purged: gets each job when it is gone.
        step_rows: rows a transaction.
        approve: gets the jobs before anything is done, unless there are none, and raises where they shall stay.

    Raises:
        DatabaseUnreachable: Postgres went away; the next purge continues.
    """
    jobs = to_purge(database, age)
    if jobs:
        approve(jobs)
    with database.transaction() as tx:
        left = deletion.marked(tx)
    for job in jobs:
        with database.transaction() as tx:
            left += [job] * deletion.mark(tx, job, age)
    for job in left:
        _delete(database, job, step_rows)
        purged(job)
    return len(left)


def _delete(database: Database, job: Job, step_rows: int) -> None:
    for first_row in range(0, job.total, step_rows):
        with database.transaction() as tx:
            deletion.delete_rows(tx, job, first_row, first_row + step_rows)
    with database.transaction() as tx:
        deletion.delete_job(tx, job.id)
