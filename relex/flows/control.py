"""Ending a job or a training run before its time.

No flag is set that somebody must look at: shards and runs get a new fencing token, so the next report of the worker
that has one is refused, and what it has of it is thrown away.

Holding a job up, letting it go on, and changing its place in the queue. Shards in a worker's hands are finished.

Scoring what an ended job left: its failed and cancelled shards, and on request the rows that ended as errors.
"""

from relex.db import ids, job_control, runs
from relex.db.connection import Database
from relex.domain.jobs import MaxFailed, Progress
from relex.domain.runs import TrainingRun


def cancel(database: Database, given: str) -> Progress | TrainingRun:
    """Cancel what is meant by an id, a unique prefix or `@last` (the newest of jobs and runs); tell how far it got.

    Raises:
        NotFound: nothing goes by this id, or several do.
        RelexError: it has ended already.
    """
    with database.transaction() as tx:
        if given == ids.LAST:
            given = ids.last_id(tx)
        if not ids.is_run(given):
            return job_control.cancel(tx, given)
        runs.cancel(tx, runs.find(tx, given))
        return runs.find(tx, given)


def pause(database: Database, given: str) -> Progress:
    """Pause the job meant by an id, a unique prefix or `@last`, and tell how far it is.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        InvalidInput: it is a training run.
        RelexError: the job is paused already or has ended.
    """
    ids.refuse_run(given, "paused")
    with database.transaction() as tx:
        return job_control.pause(tx, given)


def resume(database: Database, given: str) -> Progress:
    """Let a paused job go on; who scores is to be woken afterwards.

    Raises:
        JobNotFound, InvalidInput: as :func:`pause`.
        RelexError: the job is not paused.
    """
    ids.refuse_run(given, "resumed")
    with database.transaction() as tx:
        return job_control.resume(tx, given)


def prioritize(database: Database, given: str, priority: int) -> Progress:
    """Let a job come before all of a lower priority, from its next shard on.

    Raises:
        JobNotFound, InvalidInput: as :func:`pause`.
        RelexError: the job has ended.
    """
    ids.refuse_run(given, "given a priority")
    with database.transaction() as tx:
        return job_control.prioritize(tx, given, priority)


def retry(database: Database, given: str, *, rows: bool, budget: MaxFailed | None = None) -> Progress:
    """Queue again what was not scored of a job, and tell how far it is; who scores is to be woken afterwards.

    Nothing that has a prediction is scored again. With `rows` each row error makes place for what becomes of the row
    now; `budget` is the job's error budget from now on.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        InvalidInput: it is a training run.
        RelexError: the job has not ended, or there is nothing to try again.
    """
    ids.refuse_run(given, "tried again")
    with database.transaction() as tx:
        return job_control.retry(tx, given, rows=rows, budget=budget)
