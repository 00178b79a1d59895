"""What a person does to a job, as SQL: each verb holds the job (:func:`relex.db.jobs.lock_job`), looks, and changes it.

So verbs follow one another, whoever calls them at the same moment, and one that comes too late is told so in words.
Workers are not waited for: a shard that is cancelled has a new token, and its worker learns so from its next write.
"""

from sqlalchemy import func, text, update

from relex.db.connection import Transaction
from relex.db.jobs import cancel_shards, close, close_if_ended, lock_job
from relex.db.tables import jobs
from relex.domain.jobs import JobState, MaxFailed, Progress
from relex.errors import RelexError
from relex.hints import jobs as hints

# What went wrong before is forgotten: the shard has all its attempts again.
RETRY_SHARDS = text("""
    UPDATE shards
    SET state = 'pending', token = nextval('fencing_tokens'), attempt = 0, crashes = 0, not_before = '-infinity',
        worker = NULL,
        started_at = NULL, finished_at = NULL, error = NULL
    WHERE job_id = :job_id AND state IN ('failed', 'cancelled')
""")

# A finished shard with row errors is cut at each border between rows with a prediction and rows with an error. The
# former stay done, in shards of their own; the latter wait. So a shard is still scored as a whole or not at all.
CUT_OUT_ERRORS = text("""
    WITH holed AS (
        DELETE FROM shards WHERE job_id = :job_id AND state = 'done' AND EXISTS (
            SELECT FROM row_errors
            WHERE row_errors.job_id = shards.job_id AND row_no >= first_row AND row_no < end_row
        ) RETURNING *
    ), looked_at AS (
        SELECT holed.first_row AS holed, each AS row_no, row_errors.row_no IS NOT NULL AS wrong
        FROM holed CROSS JOIN generate_series(holed.first_row, holed.end_row - 1) AS each
        LEFT JOIN row_errors ON row_errors.job_id = :job_id AND row_errors.row_no = each
    ), numbered AS (
        SELECT *, row_no - row_number() OVER (PARTITION BY holed, wrong ORDER BY row_no) AS piece FROM looked_at
    ), pieces AS (
        SELECT holed, wrong, min(row_no) AS first_row, max(row_no) + 1 AS end_row,
            row_number() OVER (PARTITION BY holed, wrong ORDER BY min(row_no)) AS number
        FROM numbered GROUP BY holed, wrong, piece
    )
    INSERT INTO shards (
        job_id, first_row, end_row, state, token, attempt, worker, started_at, finished_at, truncated_rows, reused
    )
    SELECT job_id, pieces.first_row, pieces.end_row,
        CASE WHEN wrong THEN 'pending' ELSE state END,
        CASE WHEN wrong THEN nextval('fencing_tokens') ELSE token END,  -- what an old claim writes late is refused
        CASE WHEN wrong THEN 0 ELSE attempt END,
        CASE WHEN NOT wrong THEN worker END,
        CASE WHEN NOT wrong THEN started_at END,
        CASE WHEN NOT wrong THEN finished_at END,
        CASE WHEN NOT wrong AND number = 1 THEN truncated_rows ELSE 0 END,  -- counted once
        CASE WHEN NOT wrong AND number = 1 THEN reused ELSE 0 END
    FROM pieces JOIN holed ON holed.first_row = pieces.holed
""")
FORGET_ERRORS = text("DELETE FROM row_errors WHERE job_id = :job_id")


def cancel(tx: Transaction, given: str) -> Progress:
    """End a job before its time and return how far it got: finished shards are kept, all others are cancelled.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        RelexError: the job, or all that there is of it, has ended by itself.
    """
    held = lock_job(tx, given)
    if held.state.ended:
        raise RelexError(f"{held.job.id} is {held.state} already: there is nothing to cancel")
    if not cancel_shards(tx, held.job):  # a worker was quicker, and is about to close it
        raise RelexError(f"{held.job.id}: every shard has ended already, there is nothing to cancel")
    close(tx, held.job, cancelled_at=func.clock_timestamp())
    return lock_job(tx, held.job.id)


def retry(tx: Transaction, given: str, *, rows: bool, budget: MaxFailed | None = None) -> Progress:
    """Queue again what an ended job left unscored, and return how far it is now.

    Args:
        tx: the transaction.
        given: id, unique prefix or `@last`.
        rows: also the rows that ended as row errors, which are forgotten here, and nothing else of their shards.
        budget: the job's error budget from now on; None leaves it as it is.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        RelexError: the job has not ended, or there is nothing to try again, or it would fail at once.
    """
    held = lock_job(tx, given)
    most = held.job.max_failed if budget is None else budget.rows(held.job.total)
    _refuse_retry(held, most, rows=rows)
    tx.execute(RETRY_SHARDS, {"job_id": held.job.id})
    if rows:
        tx.execute(CUT_OUT_ERRORS, {"job_id": held.job.id})
        tx.execute(FORGET_ERRORS, {"job_id": held.job.id})
    _set(tx, held, finished_at=None, cancelled_at=None, paused_at=None, error=None, max_failed=most)
    close_if_ended(tx, held.job.id)  # where only the budget was in the way
    return lock_job(tx, held.job.id)


def pause(tx: Transaction, given: str) -> Progress:
    """Let no shard of a job be claimed any more; those in a worker's hands are finished.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        RelexError: it is paused already, or has ended.
    """
    held = lock_job(tx, given)
    if held.state.ended:
        raise RelexError(f"{held.job.id} is {held.state} already: there is nothing to pause")
    if held.job.paused_at:
        raise RelexError(f"{held.job.id} is paused already; {hints.resume(held.job.id)}")
    _set(tx, held, paused_at=func.clock_timestamp())
    return lock_job(tx, held.job.id)


def resume(tx: Transaction, given: str) -> Progress:
    """Let a paused job go on.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        RelexError: it is not paused.
    """
    held = lock_job(tx, given)
    if held.state is not JobState.PAUSED:
        again = f"; {held.retry_hint}" if held.state.ended and held.unscored else ""
        raise RelexError(f"{held.job.id} is {held.state}: only a paused job can be resumed{again}")
    _set(tx, held, paused_at=None)
    return lock_job(tx, held.job.id)


def prioritize(tx: Transaction, given: str, priority: int) -> Progress:
    """Change a job's place in the queue from its next shard on.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        RelexError: the job has ended.
    """
    held = lock_job(tx, given)
    if held.state.ended:
        raise RelexError(f"{held.job.id} is {held.state} already: its priority changes nothing")
    _set(tx, held, priority=priority)
    return lock_job(tx, held.job.id)


def adjust(tx: Transaction, given: str, priority: int | None, budget: MaxFailed | None) -> tuple[str, ...]:
    """Give an open job the priority and the error budget that somebody who submitted it again wishes for.

    Returns:
        What was changed, or why nothing was, as sentences; nothing where it is as wished.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
    """
    if priority is None and budget is None:
        return ()
    held = lock_job(tx, given)
    job = held.job
    wished = {"priority": priority, "max_failed": None if budget is None else budget.rows(job.total)}
    new = {name: value for name, value in wished.items() if value is not None and value != getattr(job, name)}
    if not new:
        return ()
    if held.state.ended:
        options = [f"--{name.replace('_', '-')}" for name, value in wished.items() if value is not None]
        changes = "change" if len(options) > 1 else "changes"
        return (f"{job.id} is {held.state} already: {' and '.join(options)} {changes} nothing",)
    _set(tx, held, **new)
    close_if_ended(tx, job.id)  # more rows may have failed than it may have now
    words = {"priority": "priority", "max_failed": "error budget"}
    return tuple(
        f"{job.id} has the {words[name]} {value} now, before {getattr(job, name)}" for name, value in new.items()
    )


def _refuse_retry(held: Progress, most: int | None, *, rows: bool) -> None:
    job_id, failed = held.job.id, f"{held.failed:,} rows could not be scored"
    overspent = not rows and most is not None and held.failed > most
    if not held.state.ended:
        raise RelexError(f"{job_id} is {held.state}: only a job that has ended can be tried again")
    if not held.unscored and not held.failed:
        raise RelexError(f"{job_id} is {held.state}, every row has a prediction: there is nothing to try again")
    if overspent:
        ways = f"{hints.retry_row_errors()}, {hints.allow_more_errors(held.failed)}"
        raise RelexError(f"{job_id}: {failed}, --max-failed allows {most:,}; {ways}")
    if not held.unscored and not rows and not held.job.error:
        raise RelexError(f"{job_id}: every shard is done; {failed}; {hints.retry_row_errors()}")


def _set(tx: Transaction, held: Progress, **facts: object) -> None:
    tx.execute(update(jobs).where(jobs.c.id == held.job.id).values(**facts))
