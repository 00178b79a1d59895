"""Jobs as rows: making one, finding one, counting how far it is, closing it."""

from dataclasses import asdict

from sqlalchemy import ColumnElement, Row, Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from relex.db import locks
from relex.db.connection import Transaction
from relex.db.ids import find_id, new_id
from relex.db.tables import jobs
from relex.domain.jobs import Job, JobId, NewJob, Progress
from relex.errors import JobNotFound, RelexError

# The times of its shards show when workers worked on the job. Each claim of a shard replaces the time of the claim
# before it, so only the last claim counts. Where nobody worked for longer than two shards
# usually take (a pause, no worker, the time before a retry), one stretch of work ends and the next one begins; a
# shorter gap is the turn of another job. The speed is that of the last stretch, and of an open job only while it lasts.
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
    ), pauses AS (
        SELECT GREATEST(make_interval(secs => :idle), 2 * avg(ended - began)) AS least FROM spans
    ), ordered AS (
        SELECT *, max(ended) OVER (ORDER BY began, ended ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM spans
    ), numbered AS (
        SELECT *, count(*) FILTER (WHERE began > before + (SELECT least FROM pauses)) OVER (ORDER BY began, ended)
            AS stretch
        FROM ordered
    ), stretches AS (
        SELECT stretch, max(ended) AS ended, COALESCE(sum(rows) FILTER (WHERE done), 0) AS rows,
            COALESCE(EXTRACT(epoch FROM max(ended) FILTER (WHERE over) - min(began)), 0)::float AS seconds,
            EXTRACT(epoch FROM max(ended) FILTER (WHERE done) - min(began))::float AS until_done
        FROM numbered GROUP BY stretch
    ), last_stretch AS (
        SELECT rows / NULLIF(until_done, 0) AS speed FROM stretches
        WHERE rows > 0 AND stretch = (SELECT max(stretch) FROM stretches) AND (
            SELECT finished_at IS NOT NULL
                OR paused_at IS NULL AND ended > clock_timestamp() - (SELECT least FROM pauses)
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
        COALESCE((SELECT sum(seconds) FROM stretches), 0) AS seconds,
        (SELECT speed FROM last_stretch) AS rows_per_second,
        min(started_at) AS started_at,
        COALESCE(
            (SELECT error FROM jobs WHERE id = :job_id),
            max(error) FILTER (WHERE state = 'failed'),
            max(error) FILTER (WHERE state = 'pending')
        ) AS reason
    FROM shards WHERE job_id = :job_id
""")
IDLE_SECONDS = 10.0
"""Nobody needs longer from one shard to the next, whatever else happens on a machine."""
SILENT_SHARE = 1 / 2
"""A worker that has not renewed its lease for this share of it is silent: a healthy one does so every third."""

# No shard is open, or more rows failed than may. This is asked after every shard: each part is one look into an index,
# for ordered by a partial one Postgres reads no shard that is done.
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

# Every row is in exactly one shard, and those of the finished shards have a prediction or an error each.
ACCOUNT = text("""
    SELECT
        (SELECT count(*) FROM predictions WHERE job_id = :job_id)
            + (SELECT count(*) FROM row_errors WHERE job_id = :job_id) AS found,
        COALESCE(sum(end_row - first_row) FILTER (WHERE state = 'done'), 0) AS due,
        (SELECT total FROM jobs WHERE id = :job_id) AS total,
        max(end_row) AS cut,
        count(*) FILTER (WHERE first_row <> follows) AS gaps
    FROM (SELECT *, lag(end_row, 1, 0) OVER (ORDER BY first_row) AS follows FROM shards WHERE job_id = :job_id) AS each
""")

# A new token: whoever holds one of these shards is refused from now on.
CANCEL_SHARDS = text("""
    UPDATE shards
    SET state = 'cancelled', token = nextval('fencing_tokens'), lease_until = NULL, finished_at = clock_timestamp()
    WHERE job_id = :job_id AND state IN ('pending', 'running')
""")


PATIENCE = "5s"
"""How long a verb waits for one lock: a worker holds a shard's for the milliseconds of its commit."""

CLOSE_TIMEOUT = "1s"
"""How long the closing of a job waits for one lock: the next sweep tries again."""


def insert_job(tx: Transaction, new: NewJob) -> JobId | None:
    """Make a job, or return None where its idempotency key is taken.

    A second caller with the same key waits here until the first one's transaction ends.
    """
    statement = insert(jobs).values(id=new_id(tx, jobs, "j"), **asdict(new))
    made = tx.scalar(statement.on_conflict_do_nothing(index_elements=["idempotency_key"]).returning(jobs.c.id))
    return None if made is None else JobId(made)


def make_newest(tx: Transaction, job_id: JobId) -> None:
    """Let `@last` mean this job: it was submitted again just now."""
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(seq=text("DEFAULT")))


def insert_instead(tx: Transaction, new: NewJob, old: JobId) -> JobId:
    """Make a job of the same idempotency key as an old one that did not end well, and which gives it up."""
    tx.execute(update(jobs).where(jobs.c.id == old).values(idempotency_key=jobs.c.idempotency_key + ":" + old))
    statement = insert(jobs).values(id=new_id(tx, jobs, "j"), **asdict(new)).returning(jobs.c.id)
    return JobId(tx.execute(statement).scalar_one())


def with_key(tx: Transaction, key: str) -> Job | None:
    """The job that was made with this idempotency key, held until the transaction ends; None where it is purged."""
    row = tx.execute(_select().where(jobs.c.idempotency_key == key).with_for_update(key_share=True)).one_or_none()
    return None if row is None else _job(row)


def find(tx: Transaction, given: str) -> Job:
    """The job meant by an id, a unique prefix or `@last`.

    Raises:
        JobNotFound: none, or several.
    """
    job_id = find_id(tx, jobs, given, JobNotFound)
    return _job(tx.execute(_select().where(jobs.c.id == job_id)).one())


def newest(tx: Transaction, limit: int) -> list[Job]:
    """The newest jobs, newest first."""
    kept = _select().where(jobs.c.purged_at.is_(None))
    return [_job(row) for row in tx.execute(kept.order_by(jobs.c.seq.desc()).limit(limit))]


def matching(tx: Transaction, condition: ColumnElement[bool]) -> list[Job]:
    """The jobs of which this is true, the oldest first."""
    return [_job(row) for row in tx.execute(_select().where(condition).order_by(jobs.c.seq))]


def progress(tx: Transaction, job: Job, lease_seconds: float = 0.0) -> Progress:
    """Count how far a job is now.

    Args:
        tx: the transaction.
        job: which job.
        lease_seconds: the length of the workers' leases; it decides who is silent; with 0 a worker is silent only once
            its lease ran out.
    """
    values = {"job_id": job.id, "renewed": lease_seconds * SILENT_SHARE, "idle": IDLE_SECONDS}
    return Progress(job, **tx.execute(PROGRESS, values).one()._asdict())


def ended(tx: Transaction) -> list[JobId]:
    """The jobs that have no open shard, or too many row errors, but are not closed yet."""
    return [JobId(each) for each in tx.scalars(ENDED, {"job_id": None})]


def lock_job(tx: Transaction, given: str, timeout: str | None = None) -> Progress:
    """A job, and how far it is, as they stay until the transaction ends: nobody else changes the job's state.

    Workers go on with its shards. The sweep is kept out, or it might halve a shard unseen; it never waits for a job's
    row, so that may come first.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        LockTimeout: here or later in the transaction: somebody has held a lock for longer than `timeout`.
    """
    job_id = find(tx, given).id
    # A worker that froze in its COMMIT must not make everybody wait who waits for us.
    locks.limit_waits(tx, timeout or PATIENCE)
    # Not in the way of workers: their foreign keys share the row.
    tx.execute(select(jobs.c.id).where(jobs.c.id == job_id).with_for_update(key_share=True))
    locks.lock_sweep(tx)
    return progress(tx, find(tx, job_id))


def close_if_ended(tx: Transaction, job_id: JobId) -> None:
    """Close a job that has no open shard or more row errors than it may have: in the latter case it fails.

    Raises:
        RelexError: its rows are not all accounted for.
        LockTimeout: somebody holds the job.
    """
    if tx.scalar(ENDED, {"job_id": job_id}) is None:
        return
    held = lock_job(tx, job_id, CLOSE_TIMEOUT)
    if tx.scalar(ENDED, {"job_id": job_id}) is None:  # somebody else closed it, and it may have been retried since
        return
    most = held.job.max_failed
    if most is not None and held.failed > most:
        cancel_shards(tx, held.job)
        close(tx, held.job, error=f"{held.failed:,} rows could not be scored, and --max-failed allows {most:,}")
    else:
        close(tx, held.job)


def cancel_shards(tx: Transaction, job: Job) -> int:
    """Cancel the open shards of a job that is held, whoever has them, and count them."""
    return tx.execute(CANCEL_SHARDS, {"job_id": job.id}).rowcount


def close(tx: Transaction, job: Job, **facts: object) -> None:
    """End a job that is held and has no open shard, with facts about its end.

    Raises:
        RelexError: the shards do not cover the job's rows, or predictions and row errors do not add up to the rows of
            those that are done.
    """
    found, due, total, cut, gaps = tx.execute(ACCOUNT, {"job_id": job.id}).one()
    if found != due:
        raise RelexError(f"{job.id}: {found} predictions and row errors for {due} rows; please report this as a bug")
    if gaps or cut != total:
        raise RelexError(f"{job.id}: its shards do not cover its {total} rows; please report this as a bug")
    tx.execute(update(jobs).where(jobs.c.id == job.id).values(finished_at=func.clock_timestamp(), **facts))


def _select() -> Select[tuple[object, ...]]:
    return select(*(jobs.c[name] for name in Job.__slots__))


def _job(row: Row[tuple[object, ...]]) -> Job:
    return Job(**row._asdict())
