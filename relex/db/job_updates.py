"""Changes of a locked job, as SQL: cancel, retry, pause, resume, other columns.

The caller locks the job (:func:`relex.db.jobs.lock_job`) and decides whether the change is allowed, in the same
transaction: :mod:`relex.flows.control` holds these rules. No change waits for workers: a cancelled shard has a new
token, and its worker notices at its next write.
"""

from sqlalchemy import func, text, update

from relex.db.connection import Transaction
from relex.db.jobs import cancel_shards, close, close_if_ended
from relex.db.tables import jobs
from relex.domain.jobs import Job

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
        job_id, first_row, end_row, state, token, attempt, worker, started_at, finished_at, truncated_rows, reused,
        environment
    )
    SELECT job_id, pieces.first_row, pieces.end_row,
        CASE WHEN wrong THEN 'pending' ELSE state END,
        CASE WHEN wrong THEN nextval('fencing_tokens') ELSE token END,  -- late writes of an old claim are refused
        CASE WHEN wrong THEN 0 ELSE attempt END,
        CASE WHEN NOT wrong THEN worker END,
        CASE WHEN NOT wrong THEN started_at END,
        CASE WHEN NOT wrong THEN finished_at END,
        CASE WHEN NOT wrong AND number = 1 THEN truncated_rows ELSE 0 END,  -- counted once
        CASE WHEN NOT wrong AND number = 1 THEN reused ELSE 0 END,
        CASE WHEN NOT wrong THEN environment END
    FROM pieces JOIN split ON split.first_row = pieces.split
""")
DELETE_ERRORS = text("DELETE FROM row_errors WHERE job_id = :job_id")


def cancel(tx: Transaction, job: Job) -> bool:
    """Cancel the open shards of a locked job and close it; return False and change nothing if no shard is open."""
    if not cancel_shards(tx, job):
        return False
    close(tx, job, cancelled_at=func.clock_timestamp())
    return True


def retry(tx: Transaction, job: Job, *, rows: bool, max_failed: int | None) -> None:
    """Queue the unscored shards of a locked, ended job again.

    Args:
        tx: the transaction that locks the job.
        job: which job.
        rows: whether to retry the rows with row errors too; their errors are deleted, the rest of their shards stays.
        max_failed: the error budget of the job from now on; None allows any number of row errors.
    """
    tx.execute(RETRY_SHARDS, {"job_id": job.id})
    if rows:
        tx.execute(SPLIT_OFF_ERRORS, {"job_id": job.id})
        tx.execute(DELETE_ERRORS, {"job_id": job.id})
    _set(tx, job, finished_at=None, cancelled_at=None, paused_at=None, error=None, expected=None, max_failed=max_failed)
    close_if_ended(tx, job.id)  # at once, if only the error budget had failed it


def pause(tx: Transaction, job: Job) -> None:
    """Pause a locked job: running shards finish, no new ones are claimed."""
    _set(tx, job, paused_at=func.clock_timestamp())


def resume(tx: Transaction, job: Job) -> None:
    """Resume a locked job that is paused."""
    _set(tx, job, paused_at=None)


def prioritize(tx: Transaction, job: Job, priority: int) -> None:
    """Set the priority of a locked job that is open; it takes effect with the next claim."""
    _set(tx, job, priority=priority)


def adjust(tx: Transaction, job: Job, **values: int) -> None:
    """Set the `priority` or the error budget `max_failed` of a locked job that is open."""
    _set(tx, job, **values)
    close_if_ended(tx, job.id)  # more rows may have failed than a new budget allows


def _set(tx: Transaction, job: Job, **values: object) -> None:
    tx.execute(update(jobs).where(jobs.c.id == job.id).values(**values))
