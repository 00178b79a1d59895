"""Shards as rows: create, claim, complete, release, recover.

    pending --claim--> running --complete--> done
       ^                  |    --fail------> failed
       +--release---------+
       +--lease expires---+
    pending or running --job ends early--> cancelled    (jobs.py)
    failed or cancelled --retry--> pending    (job_updates.py)

Renewal, release and refusal of claims are the same for training runs: :mod:`relex.db.leases`.

The sweep recovers the shards whose lease expired. Each of its statements repeats its whole condition, so it does not
change a shard that is completed at the same moment, and none waits for a lock. There is no list of workers: an expired
lease is the only evidence of a dead worker, and the only one needed.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, exists, insert, select, text

from relex.db import leases, predictions
from relex.db.connection import Transaction
from relex.db.leases import LeasedTable
from relex.db.tables import row_errors, shards
from relex.domain.examples import Outcome
from relex.domain.jobs import JobId, Shard, ShardState


def _row(shard: Shard) -> ColumnElement[bool]:
    """Return the condition that selects a shard; after it was halved, none matches."""
    table = shards.c
    return and_(table.job_id == shard.job_id, table.first_row == shard.first_row, table.end_row == shard.end_row)


def _lease_lost_message(_: Transaction, shard: Shard) -> str:
    return (
        f"{shard.job_id} rows {shard.first_row} to {shard.end_row}: another worker has this shard, or it was cancelled"
    )


LEASED_SHARDS = LeasedTable[Shard](
    shards, ShardState.PENDING, expiries="crashes", row=_row, lease_lost_message=_lease_lost_message
)

# The order of jobs: the highest priority first; jobs of equal priority take turns (round robin), so that a small job
# behind a million rows does not wait for them. In the order of the partial index Postgres reads only its first entry,
# whatever the statistics of the table: it must never scan the shards that are done.
JOBS_IN_ORDER = text("""
    SELECT id FROM jobs
    WHERE finished_at IS NULL AND paused_at IS NULL AND model <> ALL(:unloadable) AND (
        SELECT first_row FROM shards
        WHERE job_id = jobs.id AND state = 'pending' AND not_before <= now()
        ORDER BY not_before, first_row
        LIMIT 1
    ) IS NOT NULL
    ORDER BY priority DESC, served_at NULLS FIRST, seq
""")

# Only the chosen shard is locked, and the job's row only if it is free: a worker that claims at the same moment does
# not wait, takes the next shard, and does not update `served_at`. A cancel changes the shards, so their locks
# decide which came first; a pause changes the job, and a claim during a pause counts as earlier.
CLAIM = text(f"""
    WITH served AS (
        UPDATE jobs SET served_at = clock_timestamp()
        WHERE id = (SELECT id FROM jobs WHERE id = :job_id FOR NO KEY UPDATE SKIP LOCKED)
    )
    UPDATE shards
    SET {leases.CLAIM_ASSIGNMENTS}, started_at = clock_timestamp()
    FROM jobs
    WHERE jobs.id = :job_id AND paused_at IS NULL AND job_id = :job_id AND first_row = (
        SELECT first_row FROM shards
        WHERE job_id = :job_id AND state = 'pending' AND not_before <= now()
        ORDER BY not_before, first_row
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING job_id, first_row, end_row, jobs.model, jobs.exact, jobs.fresh, jobs.check_inverse, token, attempt
""")  # noqa: S608 - the interpolated text is a constant

# A hundred million rows make two hundred thousand pending shards; it is enough to know that there are many.
CLAIMABLE = text("""
    SELECT count(*) FROM jobs CROSS JOIN LATERAL (
        SELECT FROM shards
        WHERE job_id = jobs.id AND state = 'pending' AND not_before <= now()
        ORDER BY not_before, first_row
        LIMIT :limit
    ) AS waiting
    WHERE finished_at IS NULL AND paused_at IS NULL AND model <> ALL(:unloadable)
""")
MAX_COUNTED = 1000
"""Maximum number of shards of one job that are counted as claimable."""

CREATE_SHARDS = text("""
    INSERT INTO shards (job_id, first_row, end_row)
    SELECT :job_id, first, LEAST(first + :step, :rows) FROM generate_series(0, :rows - 1, :step) AS first
""")


def create_shards(tx: Transaction, job_id: JobId, rows: int, shard_rows: int) -> int:
    """Divide the rows of a job into pending shards of `shard_rows` rows; return the number of shards."""
    return tx.execute(CREATE_SHARDS, {"job_id": job_id, "rows": rows, "step": shard_rows}).rowcount


def claim(tx: Transaction, worker: str, lease_seconds: float, unloadable: Collection[str] = ()) -> Shard | None:
    """Claim the next shard for `lease_seconds`; None if none waits. Commit at once.

    Jobs of the model versions in `unloadable` are left to other workers.
    """
    for job_id in tx.scalars(JOBS_IN_ORDER, {"unloadable": list(unloadable)}).all():
        row = tx.execute(CLAIM, {"job_id": job_id, "worker": worker, "lease_seconds": lease_seconds}).one_or_none()
        if row is not None:
            return Shard(*row)
    return None


def renew(tx: Transaction, shard: Shard, lease_seconds: float) -> None:
    """Renew the lease of a claimed shard for another `lease_seconds`.

    Raises:
        LeaseLost: another worker has claimed it, or its job was cancelled.
    """
    leases.renew(tx, LEASED_SHARDS, shard, lease_seconds)


def complete(tx: Transaction, shard: Shard, outcome: Outcome) -> None:
    """Complete a shard together with its predictions and row errors, in one transaction.

    Raises:
        LeaseLost: another worker has claimed it, or its job was cancelled; the caller's transaction must roll back.
    """
    truncated_rows = sum(prediction.truncated for prediction in (*outcome.scored, *outcome.reused))
    values = {"truncated_rows": truncated_rows, "reused": len(outcome.reused), "environment": outcome.environment}
    leases.end(tx, LEASED_SHARDS, shard, ShardState.DONE, error=None, **values)
    predictions.copy_in(tx, shard.job_id, outcome)
    if outcome.errors:
        rows = [
            {"job_id": shard.job_id, "row_no": item.row_no, "code": item.code, "message": item.message}
            for item in outcome.errors
        ]
        tx.execute(insert(row_errors), rows)


def release(tx: Transaction, shard: Shard, reason: str, *, delay_seconds: float = 0.0, failed: bool = False) -> None:
    """Return a shard to the queue unscored; it may be claimed again after the delay.

    With `failed`, it counts as a failed attempt: the shard itself may be the cause.

    Raises:
        LeaseLost: another worker has claimed it, or its job was cancelled.
    """
    leases.release(tx, LEASED_SHARDS, shard, reason, delay_seconds, attempt=shard.attempt + failed)


def fail(tx: Transaction, shard: Shard, reason: str) -> None:
    """Fail a shard without predictions; its job ends as failed with this reason.

    Raises:
        LeaseLost: another worker has claimed it, or its job was cancelled.
    """
    leases.end(tx, LEASED_SHARDS, shard, ShardState.FAILED, error=reason, attempt=shard.attempt + 1)


def is_done(tx: Transaction, shard: Shard) -> bool:
    """Return whether this claim was completed, after the connection broke during its COMMIT."""
    mine = and_(_row(shard), shards.c.token == shard.token, shards.c.state == ShardState.DONE)
    return bool(tx.scalar(select(exists().where(mine))))


def claimable(tx: Transaction, unloadable: Collection[str] = ()) -> int:
    """Count the shards that could be claimed now, at most 1,000 of each job; see :func:`claim`."""
    return int(tx.execute(CLAIMABLE, {"limit": MAX_COUNTED, "unloadable": list(unloadable)}).scalar_one())


CRASHES_BEFORE_HALVING = 2

RECOVER = leases.recovery(LEASED_SHARDS)

# `crashes > 0` matches the partial index, so no sweep scans all pending shards.
# A shard that crashed twice may contain a row that kills the process: it is halved until that row is alone.
HALVE = text("""
    WITH crashing AS (
        SELECT job_id, first_row, end_row, first_row + (end_row - first_row) / 2 AS middle
        FROM shards
        WHERE state = 'pending' AND crashes > 0 AND crashes >= :crashes AND end_row - first_row > 1
        FOR UPDATE SKIP LOCKED
    ), lower AS (
        UPDATE shards SET end_row = crashing.middle, crashes = :crashes - 1
        FROM crashing
        WHERE shards.job_id = crashing.job_id AND shards.first_row = crashing.first_row
    )
    INSERT INTO shards (job_id, first_row, end_row, crashes)
    SELECT job_id, middle, end_row, :crashes - 1 FROM crashing
""")

# Under a new token: the last worker of the row may come back and must not record a prediction beside the error.
QUARANTINE_ROW = text("""
    WITH poison AS (
        SELECT job_id, first_row FROM shards
        WHERE state = 'pending' AND crashes > 0 AND crashes >= :crashes AND end_row - first_row = 1
        FOR UPDATE SKIP LOCKED
    ), quarantined AS (
        UPDATE shards
        SET state = 'done', finished_at = clock_timestamp(), token = nextval('fencing_tokens'),
            error = 'its row crashed the worker'
        FROM poison
        WHERE shards.job_id = poison.job_id AND shards.first_row = poison.first_row
        RETURNING shards.job_id, shards.first_row
    )
    INSERT INTO row_errors (job_id, row_no, code, message)
    SELECT job_id, first_row, 'crashed',
        'the worker process crashed ' || :crashes || ' times while scoring only this row'
    FROM quarantined
""")


def recover(tx: Transaction) -> int:
    """Queue shards with expired leases again, halve those that keep crashing, and count the recovered ones."""
    recovered = tx.execute(RECOVER).rowcount
    tx.execute(HALVE, {"crashes": CRASHES_BEFORE_HALVING})
    tx.execute(QUARANTINE_ROW, {"crashes": CRASHES_BEFORE_HALVING})
    return recovered
