"""Queries of `relex doctor` about the Postgres server and about work that makes no progress."""

from dataclasses import dataclass

from sqlalchemy import select, text

from relex.db import model_versions, runs, shards
from relex.db.connection import WORKER, Transaction
from relex.db.tables import jobs
from relex.domain.jobs import JobId
from relex.domain.versions import ModelVersion

# Every role may read these; only the application_name shows whose a connection is.
FACTS = text("""
    SELECT
        current_setting('server_encoding') AS encoding,
        current_setting('transaction_read_only')::boolean AS read_only,
        pg_is_in_recovery() AS standby,
        (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only') AS read_only_source,
        EXTRACT(epoch FROM clock_timestamp())::float AS clock,
        current_setting('max_connections')::integer
            - current_setting('superuser_reserved_connections')::integer AS connections,
        (SELECT sum(numbackends) FROM pg_stat_database)::integer AS used,
        (SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = :worker)::integer AS workers
""")

# Released a moment ago, so a worker is running; but for minutes no shard of the job has finished.
RELEASED_REPEATEDLY = text("""
    SELECT job_id,
        count(*) FILTER (WHERE shards.error IS NOT NULL AND state = 'pending') AS shards,
        max(shards.error) FILTER (WHERE state = 'pending') AS error
    FROM shards JOIN jobs ON jobs.id = job_id
    WHERE jobs.finished_at IS NULL AND paused_at IS NULL
    GROUP BY job_id
    HAVING max(not_before) FILTER (WHERE shards.error IS NOT NULL AND state = 'pending')
            > clock_timestamp() - interval '5 minutes'
        AND min(jobs.created_at) < clock_timestamp() - interval '2 minutes'
        AND COALESCE(max(shards.finished_at) < clock_timestamp() - interval '2 minutes', true)
    ORDER BY job_id
""")


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The state of the server at one moment."""

    encoding: str
    read_only: bool
    standby: bool
    """Whether the server follows another one, the primary."""
    read_only_source: str
    """Source of the setting default_transaction_read_only, as pg_settings names it."""
    clock: float
    """Time of the server, in seconds since 1970."""
    connections: int
    """Maximum number of connections of all ordinary roles together."""
    used: int
    """Number of open connections to the server."""
    workers: int
    """Number of connections of workers to this database; each worker has several."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A job whose shards are released unscored, with the last worker's reason."""

    job_id: JobId
    shards: int
    error: str


def facts(tx: Transaction) -> ServerFacts:
    """Return the state of the server."""
    return ServerFacts(**tx.execute(FACTS, {"worker": WORKER}).one()._asdict())


def waiting(tx: Transaction) -> tuple[int, int]:
    """Count the shards that could be claimed now (at most 1,000 of each job), and the training runs."""
    return shards.claimable(tx), runs.claimable(tx)


def given_back(tx: Transaction) -> list[GivenBack]:
    """Return the jobs whose shards workers claim and release without progress."""
    return [GivenBack(*row) for row in tx.execute(RELEASED_REPEATEDLY)]


def open_models(tx: Transaction) -> list[ModelVersion]:
    """Return the model versions to which open jobs are pinned."""
    names = tx.scalars(select(jobs.c.model).where(jobs.c.finished_at.is_(None)).distinct()).all()
    return [model_versions.find(tx, name) for name in names]
