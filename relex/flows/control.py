"""Cancelling, pausing, resuming, retrying and reprioritizing jobs, and cancelling training runs.

Each command locks the job (:func:`relex.db.jobs.lock_job`), checks its state, and changes it in the same transaction.
So commands that are called at the same moment run one after the other, and one that comes too late is refused.

Cancelling sets no flag that workers would have to poll: shards and runs get a new fencing token, so the next report of
the worker that holds one is refused, and its result is discarded. A paused job finishes the shards that workers have
claimed. A retry queues the failed and cancelled shards of an ended job, and on request the rows that ended as errors.
"""

from relex.db import ids, job_updates, runs
from relex.db.connection import Database, Transaction
from relex.db.jobs import lock_job
from relex.domain.jobs import JobState, MaxFailed, Progress
from relex.domain.runs import TrainingRun
from relex.errors import InvalidInput, RelexError
from relex.hints import jobs as hints


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
        return cancel_run(tx, job_ref) if ids.is_run(job_ref) else cancel_job(tx, job_ref)


def pause(database: Database, job_ref: str) -> Progress:
    """Pause the job meant by an id, a unique prefix or `@last`, and return its progress.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        InvalidInput: it is a training run.
        RelexError: the job is paused already or has ended.
    """
    _refuse_run(job_ref, "paused")
    with database.transaction() as tx:
        return pause_job(tx, job_ref)


def resume(database: Database, job_ref: str) -> Progress:
    """Resume a paused job; the caller notifies the workers afterwards.

    Raises:
        JobNotFound, InvalidInput: as :func:`pause`.
        RelexError: the job is not paused.
    """
    _refuse_run(job_ref, "resumed")
    with database.transaction() as tx:
        return resume_job(tx, job_ref)


def prioritize(database: Database, job_ref: str, priority: int) -> Progress:
    """Let a job come before all of a lower priority, from its next shard on.

    Raises:
        JobNotFound, InvalidInput: as :func:`pause`.
        RelexError: the job has ended.
    """
    _refuse_run(job_ref, "given a priority")
    with database.transaction() as tx:
        return prioritize_job(tx, job_ref, priority)


def retry(database: Database, job_ref: str, *, rows: bool, budget: MaxFailed | None = None) -> Progress:
    """Queue the unscored rows of a job again, and return its progress; the caller notifies the workers.

    No row that has a prediction is scored again. With `rows`, rows that ended as errors are scored again too; `budget`
    is the job's error budget from now on, None leaves it as it is.

    Raises:
        JobNotFound, InvalidInput: as :func:`pause`.
        RelexError: the job has not ended, there is nothing to try again, or it would fail at once.
    """
    _refuse_run(job_ref, "tried again")
    with database.transaction() as tx:
        return retry_job(tx, job_ref, rows=rows, budget=budget)


def cancel_run(tx: Transaction, run_ref: str) -> TrainingRun:
    """Cancel a training run within a transaction: :func:`cancel`."""
    run = runs.find(tx, run_ref)
    cancelled = runs.cancel(tx, run)
    run = runs.find(tx, run.id)
    if not cancelled:
        raise RelexError(f"{run.id} is {run.state} already: there is nothing to cancel")
    return run


def cancel_job(tx: Transaction, job_ref: str) -> Progress:
    """Cancel a job within a transaction: finished shards stay, all others are cancelled."""
    progress = lock_job(tx, job_ref)
    if progress.state.ended:
        raise RelexError(f"{progress.job.id} is {progress.state} already: there is nothing to cancel")
    if not job_updates.cancel(tx, progress.job):  # a worker was faster and is about to close it
        raise RelexError(f"{progress.job.id}: every shard has ended already, there is nothing to cancel")
    return lock_job(tx, progress.job.id)


def pause_job(tx: Transaction, job_ref: str) -> Progress:
    """Pause a job within a transaction: :func:`pause`."""
    progress = lock_job(tx, job_ref)
    if progress.state.ended:
        raise RelexError(f"{progress.job.id} is {progress.state} already: there is nothing to pause")
    if progress.job.paused_at:
        raise RelexError(f"{progress.job.id} is paused already; {hints.resume(progress.job.id)}")
    job_updates.pause(tx, progress.job)
    return lock_job(tx, progress.job.id)


def resume_job(tx: Transaction, job_ref: str) -> Progress:
    """Resume a job within a transaction: :func:`resume`."""
    progress = lock_job(tx, job_ref)
    if progress.state is not JobState.PAUSED:
        hint = f"; {progress.retry_hint}" if progress.state.ended and progress.unscored else ""
        raise RelexError(f"{progress.job.id} is {progress.state}: only a paused job can be resumed{hint}")
    job_updates.resume(tx, progress.job)
    return lock_job(tx, progress.job.id)


def prioritize_job(tx: Transaction, job_ref: str, priority: int) -> Progress:
    """Change the priority of a job within a transaction: :func:`prioritize`."""
    progress = lock_job(tx, job_ref)
    if progress.state.ended:
        raise RelexError(f"{progress.job.id} is {progress.state} already: its priority changes nothing")
    job_updates.prioritize(tx, progress.job, priority)
    return lock_job(tx, progress.job.id)


def retry_job(tx: Transaction, job_ref: str, *, rows: bool, budget: MaxFailed | None = None) -> Progress:
    """Queue the unscored rows of a job again within a transaction: :func:`retry`."""
    progress = lock_job(tx, job_ref)
    max_failed = progress.job.max_failed if budget is None else budget.rows(progress.job.total)
    _refuse_retry(progress, max_failed, rows=rows)
    job_updates.retry(tx, progress.job, rows=rows, max_failed=max_failed)
    return lock_job(tx, progress.job.id)


def adjust_job(tx: Transaction, job_ref: str, priority: int | None, budget: MaxFailed | None) -> tuple[str, ...]:
    """Change the priority and the error budget of an open job whose file was submitted again with other options.

    Returns:
        Messages that say what changed, or why nothing did; empty if the job already has these values.

    Raises:
        JobNotFound: no job matches, or several do.
    """
    if priority is None and budget is None:
        return ()
    progress = lock_job(tx, job_ref)
    job = progress.job
    requested = {"priority": priority, "max_failed": None if budget is None else budget.rows(job.total)}
    new = {name: value for name, value in requested.items() if value is not None and value != getattr(job, name)}
    if not new:
        return ()
    if progress.state.ended:
        options = [f"--{name.replace('_', '-')}" for name, value in requested.items() if value is not None]
        changes = "change" if len(options) > 1 else "changes"
        return (f"{job.id} is {progress.state} already: {' and '.join(options)} {changes} nothing",)
    job_updates.adjust(tx, job, **new)
    words = {"priority": "priority", "max_failed": "error budget"}
    return tuple(
        f"{job.id} has the {words[name]} {value} now, before {getattr(job, name)}" for name, value in new.items()
    )


def _refuse_run(job_ref: str, action: str) -> None:
    """Refuse the id of a training run where only a job is accepted; `action` is such as "paused"."""
    if ids.is_run(job_ref):
        raise InvalidInput(f"{job_ref} is a training run: only jobs can be {action}; {hints.list_jobs()}")


def _refuse_retry(progress: Progress, max_failed: int | None, *, rows: bool) -> None:
    """Refuse a retry that has nothing to do, or whose job would exceed its error budget at once."""
    job_id, failed = progress.job.id, f"{progress.failed:,} rows could not be scored"
    overspent = not rows and max_failed is not None and progress.failed > max_failed
    if not progress.state.ended:
        raise RelexError(f"{job_id} is {progress.state}: only a job that has ended can be tried again")
    if not progress.unscored and not progress.failed:
        raise RelexError(f"{job_id} is {progress.state}, every row has a prediction: there is nothing to try again")
    if overspent:
        ways = f"{hints.retry_row_errors()}, {hints.allow_more_errors(progress.failed)}"
        raise RelexError(f"{job_id}: {failed}, --max-failed allows {max_failed:,}; {ways}")
    if not progress.unscored and not rows and not progress.job.error:
        raise RelexError(f"{job_id}: every shard is done; {failed}; {hints.retry_row_errors()}")
