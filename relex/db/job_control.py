"""Commands on a job, as SQL: cancel, retry, pause, resume, prioritize, adjust.

Each one locks the job (:func:`relex.db.jobs.lock_job`), checks its state, and changes it. So commands that are called
at the same moment run one after the other, and one that comes too late fails with a message. No command waits for
workers: a cancelled shard has a new token, and its worker notices at its next write.
"""

from sqlalchemy import func, text, update

from relex.db.connection import Transaction
from relex.db.jobs import cancel_shards, close, close_if_ended, lock_job
from relex.db.tables import jobs
from relex.domain.jobs import JobState, MaxFailed, Progress
from relex.errors import RelexError
from relex.hints import jobs as hints

# Earlier failures no longer count: the shard has all its attempts again.
RETRY_SHARDS = text("""
    UPDATE shards
    SET state = 'pending', token = nextval('fencing_tokens'), attempt = 0, crashes = 0, not_before = '-infinity',
        worker = NULL,
        started_at = NULL, finished_at = NULL, error = NULL
    WHERE job_id = :job_id AND state IN ('failed', 'cancelled')
""")

# A finished shard with row errors is split at each border between rows with a prediction and rows with an error. The
# former stay done, in shards of their own; the latter are pending. So a shard is still scored as a whole or not at all.
SPLIT_OFF_ERRORS = text("""
    WITH split AS (
        DELETE FROM shards WHERE job_id = :job_id AND state = 'done' AND EXISTS (
            SELECT FROM row_errors
            WHERE row_errors.job_id = shards.job_id AND row_no >= first_row AND row_no < end_row
        ) RETURNING *
    ), marked AS (
        SELECT split.first_row AS split, each AS row_no, row_errors.row_no IS NOT NULL AS wrong
        FROM split CROSS JOIN generate_series(split.first_row, split.end_row - 1) AS each
        LEFT JOIN row_errors ON row_errors.job_id = :job_id AND row_errors.row_no = each
    ), numbered AS (
        SELECT *, row_no - row_number() OVER (PARTITION BY split, wrong ORDER BY row_no) AS piece FROM marked
    ), pieces AS (
        SELECT split, wrong, min(row_no) AS first_row, max(row_no) + 1 AS end_row,
            row_number() OVER (PARTITION BY split, wrong ORDER BY min(row_no)) AS number
        FROM numbered GROUP BY split, wrong, piece
    )
    INSERT INTO shards (
        job_id, first_row, end_row, state, token, attempt, worker, started_at, finished_at, truncated_rows, reused
    )
    SELECT job_id, pieces.first_row, pieces.end_row,
        CASE WHEN wrong THEN 'pending' ELSE state END,
        CASE WHEN wrong THEN nextval('fencing_tokens') ELSE token END,  -- late writes of an old claim are refused
        CASE WHEN wrong THEN 0 ELSE attempt END,
        CASE WHEN NOT wrong THEN worker END,
        CASE WHEN NOT wrong THEN started_at END,
        CASE WHEN NOT wrong THEN finished_at END,
        CASE WHEN NOT wrong AND number = 1 THEN truncated_rows ELSE 0 END,  -- counted once
        CASE WHEN NOT wrong AND number = 1 THEN reused ELSE 0 END
    FROM pieces JOIN split ON split.first_row = pieces.split
""")
DELETE_ERRORS = text("DELETE FROM row_errors WHERE job_id = :job_id")


def cancel(tx: Transaction, job_ref: str) -> Progress:
    """Cancel a job and return its progress: finished shards stay, all others are cancelled.

    Raises:
        JobNotFound: no job matches, or several do.
        RelexError: the job, or its last open shard, has already ended.
    """
    progress = lock_job(tx, job_ref)
    if progress.state.ended:
        raise RelexError(f"{progress.job.id} is {progress.state} already: there is nothing to cancel")
    if not cancel_shards(tx, progress.job):  # a worker was faster and is about to close it
        raise RelexError(f"{progress.job.id}: every shard has ended already, there is nothing to cancel")
    close(tx, progress.job, cancelled_at=func.clock_timestamp())
    return lock_job(tx, progress.job.id)


def retry(tx: Transaction, job_ref: str, *, rows: bool, budget: MaxFailed | None = None) -> Progress:
    """Queue the unscored shards of an ended job again, and return its progress.

    Args:
        tx: the transaction.
        job_ref: id, unique prefix or `@last`.
        rows: whether to retry the rows with row errors too; their errors are deleted, the rest of their shards stays.
        budget: the new error budget of the job; None leaves it as it is.

    Raises:
        JobNotFound: no job matches, or several do.
        RelexError: the job has not ended, there is nothing to retry, or it would fail at once.
    """
    progress = lock_job(tx, job_ref)
    max_failed = progress.job.max_failed if budget is None else budget.rows(progress.job.total)
    _refuse_retry(progress, max_failed, rows=rows)
    tx.execute(RETRY_SHARDS, {"job_id": progress.job.id})
    if rows:
        tx.execute(SPLIT_OFF_ERRORS, {"job_id": progress.job.id})
        tx.execute(DELETE_ERRORS, {"job_id": progress.job.id})
    _set(tx, progress, finished_at=None, cancelled_at=None, paused_at=None, error=None, max_failed=max_failed)
    close_if_ended(tx, progress.job.id)  # at once, if only the error budget had failed it
    return lock_job(tx, progress.job.id)


def pause(tx: Transaction, job_ref: str) -> Progress:
    """Pause a job: running shards finish, no new ones are claimed.

    Raises:
        JobNotFound: no job matches, or several do.
        RelexError: the job is already paused, or has ended.
    """
    progress = lock_job(tx, job_ref)
    if progress.state.ended:
        raise RelexError(f"{progress.job.id} is {progress.state} already: there is nothing to pause")
    if progress.job.paused_at:
        raise RelexError(f"{progress.job.id} is paused already; {hints.resume(progress.job.id)}")
    _set(tx, progress, paused_at=func.clock_timestamp())
    return lock_job(tx, progress.job.id)


def resume(tx: Transaction, job_ref: str) -> Progress:
    """Resume a paused job.

    Raises:
        JobNotFound: no job matches, or several do.
        RelexError: the job is not paused.
    """
    progress = lock_job(tx, job_ref)
    if progress.state is not JobState.PAUSED:
        hint = f"; {progress.retry_hint}" if progress.state.ended and progress.unscored else ""
        raise RelexError(f"{progress.job.id} is {progress.state}: only a paused job can be resumed{hint}")
    _set(tx, progress, paused_at=None)
    return lock_job(tx, progress.job.id)


def prioritize(tx: Transaction, job_ref: str, priority: int) -> Progress:
    """Change a job's place in the queue from its next shard on.

    Raises:
        JobNotFound: no job matches, or several do.
        RelexError: the job has ended.
    """
    progress = lock_job(tx, job_ref)
    if progress.state.ended:
        raise RelexError(f"{progress.job.id} is {progress.state} already: its priority changes nothing")
    _set(tx, progress, priority=priority)
    return lock_job(tx, progress.job.id)


def adjust(tx: Transaction, job_ref: str, priority: int | None, budget: MaxFailed | None) -> tuple[str, ...]:
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
    _set(tx, progress, **new)
    close_if_ended(tx, job.id)  # more rows may have failed than the new budget allows
    words = {"priority": "priority", "max_failed": "error budget"}
    return tuple(
        f"{job.id} has the {words[name]} {value} now, before {getattr(job, name)}" for name, value in new.items()
    )


def _refuse_retry(progress: Progress, max_failed: int | None, *, rows: bool) -> None:
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


def _set(tx: Transaction, progress: Progress, **values: object) -> None:
    tx.execute(update(jobs).where(jobs.c.id == progress.job.id).values(**values))
