"""What becomes of shards whose worker went silent: the sweep's SQL.

Each statement repeats its whole condition, so a shard that is completed at the same moment is left alone, and none
waits for a lock. No list of workers is kept or asked: a lease that ran out is all the evidence there is, and all that
is needed.
"""

from sqlalchemy import text

from relex.db import leases, shards
from relex.db.connection import Transaction

CRASHES_BEFORE_HALVING = 2

RECOVER = leases.recovery(shards.LEASED)

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

# Under a new token: the last worker that held the row may come back and must not record a prediction beside the error.
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
    SELECT job_id, first_row, 'crashed', 'scoring this row alone ended the worker process ' || :crashes || ' times'
    FROM quarantined
""")


def recover(tx: Transaction) -> int:
    """Return shards of silent workers to the queue, halve those that keep crashing, and count the recovered."""
    recovered = tx.execute(RECOVER).rowcount
    tx.execute(HALVE, {"crashes": CRASHES_BEFORE_HALVING})
    tx.execute(QUARANTINE_ROW, {"crashes": CRASHES_BEFORE_HALVING})
    return recovered
