"""Finding what fell through: expired leases, unclosed jobs, work that nobody was rung for.

Every worker sweeps every few seconds, and so does whoever looks at a job, so no single process is needed for recovery.
"""

import logging
from dataclasses import dataclass

from relex.db import jobs, recovery, runs, schema, shards
from relex.db.connection import Database
from relex.errors import DatabaseUnreachable, RelexError
from relex.jobs import JobId

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a worker could take now."""

    shards: int
    runs: bool


def sweep(database: Database) -> Waiting:
    """Recover what silent workers left, close the jobs that are complete, and tell what waits.

    Raises:
        RelexError: the tables were upgraded, or never made: no one may write to them with this relex.
    """
    schema.require_newest(database)
    with database.transaction() as tx:
        if recovery.alone(tx):
            recovery.recover(tx)
            runs.recover(tx)
        ended = jobs.ended(tx)
    for job_id in ended:
        _close(database, job_id)
    with database.transaction() as tx:
        return Waiting(shards.claimable(tx), runs.any_queued(tx))


def _close(database: Database, job_id: JobId) -> None:
    """Each in a transaction of its own: one that cannot be closed must not hold up the others."""
    try:
        with database.transaction() as tx:
            jobs.close_if_ended(tx, job_id)
    except DatabaseUnreachable:
        raise
    except RelexError as fault:
        logger.error("%s", fault)
