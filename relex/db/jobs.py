"""Jobs as rows: making one, finding one, counting how far it is, closing it."""

from dataclasses import asdict

from sqlalchemy import Row, Select, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.functions import now

from relex.db.connection import Transaction
from relex.db.ids import find_id, new_id
from relex.db.tables import jobs
from relex.errors import JobNotFound, RelexError
from relex.jobs import Job, JobId, NewJob, Progress

PROGRESS = text("""
    SELECT
        COALESCE(sum(end_row - first_row) FILTER (WHERE state = 'done'), 0)::integer AS done,
        (SELECT count(*) FROM row_errors WHERE job_id = :job_id) AS failed,
        COALESCE(sum(answered), 0)::integer AS answered,
        COALESCE(sum(windows_cut), 0)::integer AS windows_cut,
        count(*) FILTER (WHERE state = 'pending') AS pending_shards,
        count(*) FILTER (WHERE state = 'running') AS running_shards,
        count(*) FILTER (WHERE state = 'done') AS done_shards,
        count(*) FILTER (WHERE state = 'failed') AS failed_shards,
        count(DISTINCT worker) FILTER (WHERE state = 'running') AS workers,
        COALESCE(EXTRACT(epoch FROM max(finished_at) - min(started_at)), 0)::float AS seconds,
        COALESCE(max(error) FILTER (WHERE state = 'failed'), max(error) FILTER (WHERE state = 'pending')) AS reason
    FROM shards WHERE job_id = :job_id
""")

# A cancelled job waits only for the shards that are in some worker's hands. This is asked after every shard: each
# half is one look into a partial index, for ordered by that index Postgres reads no shard that is done.
ENDED = text("""
    SELECT id FROM jobs
    WHERE finished_at IS NULL AND (CAST(:job_id AS text) IS NULL OR id = :job_id)
    AND (
        SELECT first_row FROM shards WHERE job_id = jobs.id AND state = 'running' ORDER BY first_row LIMIT 1
    ) IS NULL
    AND (cancelled_at IS NOT NULL OR (
        SELECT first_row FROM shards
        WHERE job_id = jobs.id AND state = 'pending' ORDER BY not_before, first_row LIMIT 1
    ) IS NULL)
    FOR UPDATE
""")

ACCOUNT = text("""
    SELECT
        (SELECT count(*) FROM predictions WHERE job_id = :job_id)
            + (SELECT count(*) FROM row_errors WHERE job_id = :job_id) AS found,
        (SELECT COALESCE(sum(end_row - first_row), 0) FROM shards WHERE job_id = :job_id AND state = 'done') AS due
""")


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


def with_key(tx: Transaction, key: str) -> Job:
    """The job that was made with this idempotency key; there must be one."""
    return _job(tx.execute(_select().where(jobs.c.idempotency_key == key)).one())


def find(tx: Transaction, given: str) -> Job:
    """The job meant by an id, a unique prefix or `@last`.

    Raises:
        JobNotFound: none, or several.
    """
    job_id = find_id(tx, jobs, given, JobNotFound)
    return _job(tx.execute(_select().where(jobs.c.id == job_id)).one())


def newest(tx: Transaction, limit: int) -> list[Job]:
    """The newest jobs, newest first."""
    return [_job(row) for row in tx.execute(_select().order_by(jobs.c.seq.desc()).limit(limit))]


def progress(tx: Transaction, job: Job) -> Progress:
    """How far a job is, counted now."""
    return Progress(job, **tx.execute(PROGRESS, {"job_id": job.id}).one()._asdict())


def ended(tx: Transaction) -> list[JobId]:
    """The jobs that have no open shard but are not closed yet."""
    return [JobId(each) for each in tx.scalars(ENDED, {"job_id": None})]


def close_if_ended(tx: Transaction, job_id: JobId) -> None:
    """Mark a job as finished if it has no open shard, after checking that every row is accounted for.

    Raises:
        RelexError: predictions and row errors do not add up to the rows of the finished shards.
    """
    if tx.scalar(ENDED, {"job_id": job_id}) is None:
        return
    found, due = tx.execute(ACCOUNT, {"job_id": job_id}).one()
    if found != due:
        raise RelexError(f"{job_id}: {found} predictions and row errors for {due} rows; please report this as a bug")
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(finished_at=now()))


def _select() -> Select[tuple[object, ...]]:
    return select(*(jobs.c[name] for name in Job.__slots__))


def _job(row: Row[tuple[object, ...]]) -> Job:
    return Job(**row._asdict())
