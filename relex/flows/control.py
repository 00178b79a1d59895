"""Cancelling, pausing, resuming, retrying and reprioritizing jobs, and cancelling training runs.

Cancelling sets no flag that workers would have to poll: shards and runs get a new fencing token, so the next report of
the worker that holds one is refused, and its result is discarded. A paused job finishes the shards that workers have
claimed. A retry queues the failed and cancelled shards of an ended job, and on request the rows that ended as errors.
"""

from relex.db import ids, job_control, runs
from relex.db.connection import Database
from relex.domain.jobs import MaxFailed, Progress
from relex.domain.runs import TrainingRun


def cancel(database: Database, job_ref: str) -> Progress | TrainingRun:
    """Cancel the job or training run meant by `job_ref`, and return how far it got.

    `job_ref` is an id, a unique prefix or `@last` (the newest of jobs and runs).

    Raises:
        NotFound: nothing goes by this id, or several do.
        RelexError: it has ended already.
    """
    with database.transaction() as tx:
        if job_ref == ids.LAST:
            job_ref = ids.last_id(tx)
        if not ids.is_run(job_ref):
            return job_control.cancel(tx, job_ref)
        runs.cancel(tx, runs.find(tx, job_ref))
        return runs.find(tx, job_ref)


def pause(database: Database, job_ref: str) -> Progress:
    """Pause the job meant by an id, a unique prefix or `@last`, and return its progress.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        InvalidInput: it is a training run.
        RelexError: the job is paused already or has ended.
    """
    ids.refuse_run(job_ref, "paused")
    with database.transaction() as tx:
        return job_control.pause(tx, job_ref)


def resume(database: Database, job_ref: str) -> Progress:
    """Resume a paused job; the caller notifies the workers afterwards.

    Raises:
        JobNotFound, InvalidInput: as :func:`pause`.
        RelexError: the job is not paused.
    """
    ids.refuse_run(job_ref, "resumed")
    with database.transaction() as tx:
        return job_control.resume(tx, job_ref)


def prioritize(database: Database, job_ref: str, priority: int) -> Progress:
    """Let a job come before all of a lower priority, from its next shard on.

    Raises:
        JobNotFound, InvalidInput: as :func:`pause`.
        RelexError: the job has ended.
    """
    ids.refuse_run(job_ref, "given a priority")
    with database.transaction() as tx:
        return job_control.prioritize(tx, job_ref, priority)


def retry(database: Database, job_ref: str, *, rows: bool, budget: MaxFailed | None = None) -> Progress:
    """Queue the unscored rows of a job again, and return its progress; the caller notifies the workers.

    No row that has a prediction is scored again. With `rows`, rows that ended as errors are scored again too; `budget`
    is the job's error budget from now on.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        InvalidInput: it is a training run.
        RelexError: the job has not ended, or there is nothing to try again.
    """
    ids.refuse_run(job_ref, "tried again")
    with database.transaction() as tx:
        return job_control.retry(tx, job_ref, rows=rows, budget=budget)
