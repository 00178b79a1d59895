"""What `relex doctor` asks Postgres: about the server, and about work that does not get on."""

from dataclasses import dataclass

from sqlalchemy import select, text

from relex.db import model_versions, runs, shards
from relex.db.connection import WORKER, Transaction
from relex.db.tables import jobs
from relex.domain.jobs import JobId
from relex.domain.versions import ModelVersion

# Every role may read these; whose connection it is shows only by its application_name.
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

# Given back a moment ago, so somebody is at work; but for minutes nothing of the job was finished.
GIVEN_BACK = text("""
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
    """The server at one moment."""

    encoding: str
    read_only: bool
    standby: bool
    """Whether it follows another server, the primary."""
    read_only_source: str
    """Where the default for new transactions comes from, in the words of pg_settings."""
    clock: float
    """Its time, in seconds since 1970."""
    connections: int
    """That ordinary roles may have, all together."""
    used: int
    workers: int
    """Connections of workers to this database; each worker has several."""


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A job whose shards come back unscored, and what the last worker said."""

    job_id: JobId
    shards: int
    error: str


def facts(tx: Transaction) -> ServerFacts:
    """Look at the server."""
    return ServerFacts(**tx.execute(FACTS, {"worker": WORKER}).one()._asdict())


def waiting(tx: Transaction) -> tuple[int, int]:
    """How many shards could be claimed now (of each job at most 1,000), and how many training runs."""
    return shards.claimable(tx), runs.claimable(tx)


def given_back(tx: Transaction) -> list[GivenBack]:
    """The jobs that workers take up and give back without getting on."""
    return [GivenBack(*row) for row in tx.execute(GIVEN_BACK)]


def open_models(tx: Transaction) -> list[ModelVersion]:
    """The versions that jobs which have not ended are pinned to."""
    names = tx.scalars(select(jobs.c.model).where(jobs.c.finished_at.is_(None)).distinct()).all()
    return [model_versions.find(tx, name) for name in names]
