"""Jobs as rows: insert, find, count progress, lock, close."""

from dataclasses import asdict

from sqlalchemy import ColumnElement, Row, Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from relex.db import leases
from relex.db.connection import Transaction
from relex.db.ids import find_id, new_id
from relex.db.tables import jobs
from relex.domain.drift import Drift
from relex.domain.jobs import Job, JobId, NewJob, Progress
from relex.domain.quality import Expected
from relex.errors import JobNotFound, RelexError

# The times of the shards show when workers worked on the job. Each claim of a shard replaces the time of the previous
# claim, so only the last one counts. A gap longer than two shards usually take (a pause, no worker, the time before a
# retry) ends one period of work; in a shorter gap the workers served another job. The speed is that of the last period;
# an open job has a speed only while its last period continues.
PROGRESS = text("""
    WITH spans AS (
        SELECT end_row - first_row AS rows, state = 'done' AS done, state <> 'running' AS over,
            CASE state WHEN 'running' THEN clock_timestamp() ELSE finished_at END AS ended,
            started_at AS began
        FROM shards
        WHERE job_id = :job_id AND started_at IS NOT NULL AND (
            state IN ('done', 'failed')
            OR state = 'running' AND lease_until > clock_timestamp() + make_interval(secs => :renewed)
        )
    ), gaps AS (
        SELECT GREATEST(make_interval(secs => :idle), 2 * avg(ended - began)) AS longest FROM spans
    ), ordered AS (
        SELECT *, max(ended) OVER (ORDER BY began, ended ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM spans
    ), numbered AS (
        SELECT *, count(*) FILTER (WHERE began > before + (SELECT longest FROM gaps)) OVER (ORDER BY began, ended)
            AS period
        FROM ordered
    ), periods AS (
        SELECT period, max(ended) AS ended, COALESCE(sum(rows) FILTER (WHERE done), 0) AS rows,
            COALESCE(EXTRACT(epoch FROM max(ended) FILTER (WHERE over) - min(began)), 0)::float AS seconds,
            EXTRACT(epoch FROM max(ended) FILTER (WHERE done) - min(began))::float AS until_done
        FROM numbered GROUP BY period
    ), last_period AS (
        SELECT rows / NULLIF(until_done, 0) AS speed FROM periods
        WHERE rows > 0 AND period = (SELECT max(period) FROM periods) AND (
            SELECT finished_at IS NOT NULL
                OR paused_at IS NULL AND ended > clock_timestamp() - (SELECT longest FROM gaps)
            FROM jobs WHERE id = :job_id
        )
    )
    SELECT
        COALESCE(sum(end_row - first_row) FILTER (WHERE state = 'done'), 0)::integer AS done,
        COALESCE(sum(end_row - first_row) FILTER (WHERE state IN ('pending', 'running')), 0)::integer AS open,
        COALESCE(sum(end_row - first_row) FILTER (WHERE state IN ('failed', 'cancelled')), 0)::integer AS unscored,
        (SELECT count(*) FROM row_errors WHERE job_id = :job_id) AS failed,
        COALESCE(sum(reused), 0)::integer AS reused,
        COALESCE(sum(truncated_rows), 0)::integer AS truncated_rows,
        count(*) FILTER (WHERE state = 'pending') AS pending_shards,
        count(*) FILTER (WHERE state = 'running') AS running_shards,
        count(*) FILTER (WHERE state = 'done') AS done_shards,
        count(*) FILTER (WHERE state = 'failed') AS failed_shards,
        count(*) FILTER (WHERE state = 'cancelled') AS cancelled_shards,
        count(DISTINCT worker) FILTER (
            WHERE state = 'running' AND lease_until > clock_timestamp() + make_interval(secs => :renewed)
        ) AS workers,
        count(DISTINCT worker) FILTER (
            WHERE state = 'running' AND lease_until <= clock_timestamp() + make_interval(secs => :renewed)
        ) AS stalled_workers,
        COALESCE((SELECT sum(seconds) FROM periods), 0) AS seconds,
        (SELECT speed FROM last_period) AS rows_per_second,
        min(started_at) AS started_at,
        COALESCE(
            (SELECT error FROM jobs WHERE id = :job_id),
            max(error) FILTER (WHERE state = 'failed'),
            max(error) FILTER (WHERE state = 'pending')
        ) AS reason
    FROM shards WHERE job_id = :job_id
""")
IDLE_SECONDS = 10.0
"""Time within which a worker always gets from one shard to the next, however busy the machine is."""
STALLED_SHARE = 1 / 2
"""Share of a lease without a renewal after which its worker counts as stalled; a healthy one renews at a third."""

# No shard is open, or more rows failed than allowed. This runs after every shard, so each part is one index probe: in
# the order of a partial index Postgres reads no shard that is done.
ENDED = text("""
    SELECT id FROM jobs
    WHERE finished_at IS NULL AND (CAST(:job_id AS text) IS NULL OR id = :job_id)
    AND ((
        SELECT first_row FROM shards WHERE job_id = jobs.id AND state = 'running' ORDER BY first_row LIMIT 1
    ) IS NULL AND (
        SELECT first_row FROM shards
        WHERE job_id = jobs.id AND state = 'pending' ORDER BY not_before, first_row LIMIT 1
    ) IS NULL OR EXISTS (
        SELECT FROM row_errors WHERE job_id = jobs.id AND max_failed IS NOT NULL OFFSET COALESCE(max_failed, 0)
    ))
""")

# Every row is in exactly one shard, and each row of a finished shard has a prediction or an error.
ACCOUNT = text("""
    SELECT
        (SELECT count(*) FROM predictions WHERE job_id = :job_id)
            + (SELECT count(*) FROM row_errors WHERE job_id = :job_id) AS recorded,
        COALESCE(sum(end_row - first_row) FILTER (WHERE state = 'done'), 0) AS due,
        (SELECT total FROM jobs WHERE id = :job_id) AS total,
        max(end_row) AS cut,
        count(*) FILTER (WHERE first_row <> follows) AS holes
    FROM (SELECT *, lag(end_row, 1, 0) OVER (ORDER BY first_row) AS follows FROM shards WHERE job_id = :job_id) AS each
""")

# A new token: writes of the workers that hold these shards are refused from now on.
CANCEL_SHARDS = text("""
    UPDATE shards
    SET state = 'cancelled', token = nextval('fencing_tokens'), lease_until = NULL, finished_at = clock_timestamp()
    WHERE job_id = :job_id AND state IN ('pending', 'running')
""")

LOCK_TIMEOUT = "5s"
"""How long a command waits for one lock: a worker holds that of a shard for the milliseconds of its commit."""

CLOSE_TIMEOUT = "1s"
"""How long it waits for one lock to close a job; the next sweep tries again."""


def insert_job(tx: Transaction, new: NewJob) -> JobId | None:
    """Insert a job, or return None if its idempotency key is taken.

    A second caller with the same key waits until the first one's transaction ends.
    """
    statement = insert(jobs).values(id=new_id(tx, jobs, "j"), **asdict(new))
    job_id = tx.scalar(statement.on_conflict_do_nothing(index_elements=["idempotency_key"]).returning(jobs.c.id))
    return None if job_id is None else JobId(job_id)


def record_rows(tx: Transaction, job_id: JobId, new: NewJob) -> None:
    """Record what is known of a new job once its file was read: its rows, its columns, and its error budget."""
    values = {"total": new.total, "rejected": new.rejected, "max_failed": new.max_failed, "columns": new.columns}
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(values))


def make_newest(tx: Transaction, job_id: JobId) -> None:
    """Make this job the one that `@last` stands for: it was submitted again just now."""
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(seq=text("DEFAULT")))


def insert_instead(tx: Transaction, new: NewJob, old: JobId) -> JobId:
    """Insert a job under the idempotency key of an old one that failed; the old one loses the key."""
    tx.execute(update(jobs).where(jobs.c.id == old).values(idempotency_key=jobs.c.idempotency_key + ":" + old))
    statement = insert(jobs).values(id=new_id(tx, jobs, "j"), **asdict(new)).returning(jobs.c.id)
    return JobId(tx.execute(statement).scalar_one())


def with_key(tx: Transaction, key: str) -> Job | None:
    """Return and lock the job with this idempotency key; None if there is none or it was purged."""
    row = tx.execute(_select().where(jobs.c.idempotency_key == key).with_for_update(key_share=True)).one_or_none()
    return None if row is None else _job(row)


def find(tx: Transaction, job_ref: str) -> Job:
    """Return the job that an id, a unique prefix or `@last` stands for.

    Raises:
        JobNotFound: no job matches, or several do.
    """
    job_id = find_id(tx, jobs, job_ref, JobNotFound)
    return _job(tx.execute(_select().where(jobs.c.id == job_id)).one())


def newest(tx: Transaction, limit: int) -> list[Job]:
    """Return the newest jobs, newest first."""
    visible = _select().where(jobs.c.purged_at.is_(None))
    return [_job(row) for row in tx.execute(visible.order_by(jobs.c.seq.desc()).limit(limit))]


def matching(tx: Transaction, condition: ColumnElement[bool]) -> list[Job]:
    """Return the jobs that meet a condition, oldest first."""
    return [_job(row) for row in tx.execute(_select().where(condition).order_by(jobs.c.seq))]


def progress(tx: Transaction, job: Job, lease_seconds: float = 0.0) -> Progress:
    """Count the rows and shards of a job as they are now.

    Args:
        tx: the transaction.
        job: which job.
        lease_seconds: the length of the workers' leases, which decides who is stalled; with 0 a worker counts as
            stalled only after its lease expired.
    """
    values = {"job_id": job.id, "renewed": lease_seconds * STALLED_SHARE, "idle": IDLE_SECONDS}
    return Progress(job, **tx.execute(PROGRESS, values).one()._asdict())


def find_unclosed(tx: Transaction) -> list[JobId]:
    """Return the jobs that have no open shard, or too many row errors, but are not closed yet."""
    return [JobId(each) for each in tx.scalars(ENDED, {"job_id": None})]


def lock_job(tx: Transaction, job_ref: str, timeout: str | None = None) -> Progress:
    """Lock a job until the transaction ends, and return its progress: no other transaction changes its state.

    Workers continue with its shards. The sweep is locked too, or it might halve a shard unseen. It never waits for the
    row of a job, so that row can be locked first.

    Raises:
        JobNotFound: no job matches, or several do.
        LockTimeout: here or later in the transaction; another process has held a lock for longer than `timeout`.
    """
    job_id = find(tx, job_ref).id
    # Others wait for this transaction, so it must not wait for a worker that froze in its COMMIT.
    leases.set_lock_timeout(tx, timeout or LOCK_TIMEOUT)
    # This mode does not block workers: their foreign keys share the lock of the row.
    tx.execute(select(jobs.c.id).where(jobs.c.id == job_id).with_for_update(key_share=True))
    leases.lock_sweep(tx)
    return progress(tx, find(tx, job_id))


def close_if_ended(tx: Transaction, job_id: JobId) -> None:
    """Close a job that has no open shard, or fail it if it has more row errors than its budget allows.

    Raises:
        RelexError: not all of its rows are accounted for.
        LockTimeout: another process holds the lock of the job.
    """
    if tx.scalar(ENDED, {"job_id": job_id}) is None:
        return
    current = lock_job(tx, job_id, CLOSE_TIMEOUT)
    if tx.scalar(ENDED, {"job_id": job_id}) is None:  # another process closed it, and it may have been retried since
        return
    max_failed = current.job.max_failed
    if max_failed is not None and current.failed > max_failed:
        cancel_shards(tx, current.job)
        reason = f"{current.failed:,} rows could not be scored, and --max-failed allows {max_failed:,}"
        close(tx, current.job, error=reason)
    else:
        close(tx, current.job)


def cancel_shards(tx: Transaction, job: Job) -> int:
    """Cancel the open shards of a locked job, whichever worker holds them, and return how many there were."""
    return tx.execute(CANCEL_SHARDS, {"job_id": job.id}).rowcount


def close(tx: Transaction, job: Job, **values: object) -> None:
    """Close a locked job without open shards; `values` are further columns to set.

    Raises:
        RelexError: the shards do not cover the job's rows, or predictions and row errors do not add up to the rows of
            the finished shards.
    """
    recorded, due, total, cut, holes = tx.execute(ACCOUNT, {"job_id": job.id}).one()
    if recorded != due:
        raise RelexError(f"{job.id}: {recorded} predictions and row errors for {due} rows; please report this as a bug")
    if holes or cut != total:
        raise RelexError(f"{job.id}: its shards do not cover its {total} rows; please report this as a bug")
    tx.execute(update(jobs).where(jobs.c.id == job.id).values(finished_at=func.clock_timestamp(), **values))


def _select() -> Select[tuple[object, ...]]:
    return select(*(jobs.c[name] for name in Job.__slots__))


def _job(row: Row[tuple[object, ...]]) -> Job:
    values = row._asdict()
    drift, expected = values.pop("drift"), values.pop("expected")
    return Job(**values, drift=drift and Drift.from_data(drift), expected=expected and Expected.from_data(expected))
