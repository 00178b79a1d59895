"""What becomes of shards whose worker went silent: the sweep's SQL.

Each statement repeats its whole condition, so a shard that is completed at the same moment is left alone. No
list of workers is kept or asked: a lease that ran out is all the evidence there is, and all that is needed.
"""

from sqlalchemy import text

from relex.db.connection import Transaction

CRASHES_BEFORE_HALVING = 2

LOCK = 7265121  # any number, the same in every relex
ALONE = text(f"SELECT pg_try_advisory_xact_lock({LOCK})")
KEEP_OUT = text(f"SELECT pg_advisory_xact_lock({LOCK})")

# A lease that ran out while Postgres itself was down says nothing about its worker. A shard whose worker fell silent in
# the middle of its COMMIT is locked, and its turn comes when the worker goes on or Postgres ends its session: the
# recovery of all others must not wait for that.
RECOVER = text("""
    WITH silent AS (
        SELECT job_id, first_row FROM shards
        WHERE state = 'running' AND lease_until < clock_timestamp()
        FOR UPDATE SKIP LOCKED
    )
    UPDATE shards
    SET state = 'pending', lease_until = NULL,
        crashes = crashes + CASE WHEN lease_until > pg_postmaster_start_time() THEN 1 ELSE 0 END
    FROM silent
    WHERE shards.job_id = silent.job_id AND shards.first_row = silent.first_row
""")

# `crashes > 0` is what the partial index says: no sweep looks at all shards that wait.
# A shard that crashed twice may hold an example that kills the process: halve it until that one stands alone.
HALVE = text("""
    WITH suspect AS (
        SELECT job_id, first_row, end_row, first_row + (end_row - first_row) / 2 AS middle
        FROM shards
        WHERE state = 'pending' AND crashes > 0 AND crashes >= :crashes AND end_row - first_row > 1
        FOR UPDATE SKIP LOCKED
    ), lower AS (
        UPDATE shards SET end_row = suspect.middle, crashes = :crashes - 1
        FROM suspect
        WHERE shards.job_id = suspect.job_id AND shards.first_row = suspect.first_row
    )
    INSERT INTO shards (job_id, first_row, end_row, crashes)
    SELECT job_id, middle, end_row, :crashes - 1 FROM suspect
""")

CONVICT = text("""
    WITH guilty AS (
        UPDATE shards SET state = 'done', finished_at = clock_timestamp(), error = 'its row crashed the worker'
        WHERE state = 'pending' AND crashes > 0 AND crashes >= :crashes AND end_row - first_row = 1
        RETURNING job_id, first_row
    )
    INSERT INTO row_errors (job_id, row_no, code, message)
    SELECT job_id, first_row, 'crashed', 'scoring this row alone ended the worker process ' || :crashes || ' times'
    FROM guilty
""")


def alone(tx: Transaction) -> bool:
    """Whether no other worker sweeps at this moment; holds until the transaction ends."""
    return bool(tx.scalar(ALONE))


def keep_out(tx: Transaction) -> None:
    """Wait for a sweep that is at work, and let none begin until the transaction ends."""
    tx.execute(KEEP_OUT)


def recover(tx: Transaction) -> int:
    """Return shards of silent workers to the queue, halve those that keep crashing, and count the recovered."""
    recovered = tx.execute(RECOVER).rowcount
    tx.execute(HALVE, {"crashes": CRASHES_BEFORE_HALVING})
    tx.execute(CONVICT, {"crashes": CRASHES_BEFORE_HALVING})
    return recovered
