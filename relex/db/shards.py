"""The state machine of shards, as SQL.

    pending --claim--> running --complete--> done
       ^                  |    --fail------> failed
       +--release---------+
       +--lease runs out--+    (recovery.py)
    pending or running --job ends early--> cancelled    (jobs.py)
    failed or cancelled --retry--> pending    (verbs.py)

Every write after the claim repeats the claim's fencing token and is refused (:class:`LeaseLost`) when another
worker has taken the shard since, or its job was cancelled. All times are the database's: a worker's clock is never
asked.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, and_, exists, func, insert, select, text, update

from relex.db import predictions
from relex.db.connection import Transaction
from relex.db.tables import row_errors, shards
from relex.errors import LeaseLost
from relex.examples import Outcome
from relex.jobs import JobId, Shard, ShardState

# Whose turn it is: the highest priority first, then the job served longest ago, so that a small job behind a
# million rows does not wait for them. In the order of the partial index its first entry is all that is looked at,
# whatever Postgres knows of the table: it must never go through the shards that are done.
TURNS = text("""
    SELECT id FROM jobs
    WHERE finished_at IS NULL AND paused_at IS NULL AND (
        SELECT first_row FROM shards
        WHERE job_id = jobs.id AND state = 'pending' AND not_before <= now()
        ORDER BY not_before, first_row
        LIMIT 1
    ) IS NOT NULL
    ORDER BY priority DESC, served_at NULLS FIRST, seq
""")

# Only the chosen shard is locked, and the job's row only where it is free: who claims at the same moment waits for
# nobody, takes the next shard, and leaves the turn to be noted by the other. Cancelling changes the shards themselves,
# so their locks decide who was first; a pause is of the job, and who claims while it is being paused was before it.
CLAIM = text("""
    WITH served AS (
        UPDATE jobs SET served_at = clock_timestamp()
        WHERE id = (SELECT id FROM jobs WHERE id = :job_id FOR NO KEY UPDATE SKIP LOCKED)
    )
    UPDATE shards
    SET state = 'running', token = nextval('fencing_tokens'), attempt = attempt + 1, worker = :worker,
        lease_until = clock_timestamp() + make_interval(secs => :lease_seconds),
        started_at = COALESCE(started_at, clock_timestamp())
    FROM jobs
    WHERE jobs.id = :job_id AND paused_at IS NULL AND job_id = :job_id AND first_row = (
        SELECT first_row FROM shards
        WHERE job_id = :job_id AND state = 'pending' AND not_before <= now()
        ORDER BY not_before, first_row
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING job_id, first_row, end_row, jobs.model, jobs.exact, jobs.fresh, token, attempt
""")

# Of a hundred million rows two hundred thousand shards wait: nobody needs to know more than that there are many.
CLAIMABLE = text("""
    SELECT count(*) FROM jobs CROSS JOIN LATERAL (
        SELECT FROM shards
        WHERE job_id = jobs.id AND state = 'pending' AND not_before <= now()
        ORDER BY not_before, first_row
        LIMIT :many
    ) AS waiting
    WHERE finished_at IS NULL AND paused_at IS NULL
""")
MANY = 1000

CUT = text("""
    INSERT INTO shards (job_id, first_row, end_row)
    SELECT :job_id, first, LEAST(first + :step, :rows) FROM generate_series(0, :rows - 1, :step) AS first
""")

now = func.clock_timestamp()


def cut(tx: Transaction, job_id: JobId, rows: int, shard_rows: int) -> int:
    """Cut a job's examples into pending shards of `shard_rows` rows and return how many there are."""
    return tx.execute(CUT, {"job_id": job_id, "rows": rows, "step": shard_rows}).rowcount


def claim(tx: Transaction, worker: str, lease_seconds: float) -> Shard | None:
    """Take the next shard for `lease_seconds`, or None where nothing waits. Commit at once."""
    for job_id in tx.scalars(TURNS).all():
        row = tx.execute(CLAIM, {"job_id": job_id, "worker": worker, "lease_seconds": lease_seconds}).one_or_none()
        if row is not None:
            return Shard(*row)
    return None


def renew(tx: Transaction, shard: Shard, lease_seconds: float) -> None:
    """Keep a claimed shard for another `lease_seconds`.

    Raises:
        LeaseLost: another worker has it.
    """
    _write(tx, shard, lease_until=now + timedelta(seconds=lease_seconds))


def complete(tx: Transaction, shard: Shard, outcome: Outcome) -> None:
    """End a shard together with its predictions and row errors; one without the other cannot be.

    Raises:
        LeaseLost: another worker has it; the caller's transaction must roll back.
    """
    windows_cut = sum(prediction.window_cut for prediction in (*outcome.scored, *outcome.answered))
    _end(tx, shard, ShardState.DONE, windows_cut=windows_cut, answered=len(outcome.answered), error=None)
    predictions.copy_in(tx, shard.job_id, outcome)
    if outcome.errors:
        values = [
            {"job_id": shard.job_id, "row_no": item.row_no, "code": item.code, "message": item.message}
            for item in outcome.errors
        ]
        tx.execute(insert(row_errors), values)


def release(tx: Transaction, shard: Shard, reason: str, *, delay_seconds: float = 0.0, counted: bool = False) -> None:
    """Give a shard back unscored; it may be claimed again after the delay.

    The attempt is counted only where the shard itself may be at fault.

    Raises:
        LeaseLost: another worker has it.
    """
    _write(
        tx,
        shard,
        state=ShardState.PENDING,
        lease_until=None,
        worker=None,
        attempt=shard.attempt - (not counted),
        not_before=now + timedelta(seconds=delay_seconds),
        error=reason,
    )


def fail(tx: Transaction, shard: Shard, reason: str) -> None:
    """End a shard without predictions; its job ends as failed and says why.

    Raises:
        LeaseLost: another worker has it.
    """
    _end(tx, shard, ShardState.FAILED, error=reason)


def is_done(tx: Transaction, shard: Shard) -> bool:
    """Whether this very claim was completed: asked after a connection broke during COMMIT."""
    return bool(tx.scalar(select(exists().where(_mine(shard, ShardState.DONE)))))


def claimable(tx: Transaction) -> int:
    """How many shards could be claimed now, of each job at most 1,000."""
    return int(tx.execute(CLAIMABLE, {"many": MANY}).scalar_one())


def _end(tx: Transaction, shard: Shard, state: ShardState, **values: object) -> None:
    _write(tx, shard, state=state, finished_at=now, lease_until=None, **values)


def _write(tx: Transaction, shard: Shard, **values: object) -> None:
    """Change a shard that this claim still holds."""
    if tx.execute(update(shards).where(_mine(shard, ShardState.RUNNING)).values(**values)).rowcount != 1:
        raise LeaseLost(f"{shard.job_id} rows {shard.first_row} to {shard.end_row}: taken by another, or cancelled")


def _mine(shard: Shard, state: ShardState) -> ColumnElement[bool]:
    return and_(
        shards.c.job_id == shard.job_id,
        shards.c.first_row == shard.first_row,
        shards.c.token == shard.token,
        shards.c.state == state,
    )
