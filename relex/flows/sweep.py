"""Recovery: expired leases, unclosed jobs, work that no worker was notified of.

Every worker sweeps every few seconds, and so does every command that shows a job: recovery depends on no single
process. A sweep never waits for a frozen process: it leaves what another session has locked to the next sweep.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass

from relex.db import jobs, leases, runs, shards
from relex.db.connection import Database
from relex.domain.jobs import JobId
from relex.errors import DatabaseUnreachable, LockTimeout, RelexError
from relex.flows.database import require_latest_revision

logger = logging.getLogger(__name__)

LOCK_TIMEOUT = "1s"
"""Maximum wait for a lock on a table, which a migration may hold; no statement waits for a row."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The numbers of shards and of training runs that a worker could claim now."""

    shards: int
    runs: int


def sweep(database: Database, unloadable: Collection[str] = ()) -> Waiting:
    """Recover the work of stalled workers, close complete jobs, and count the work that waits.

    Shards of the model versions in `unloadable` are not counted: the caller cannot score them.

    Raises:
        RelexError: the tables were upgraded, or never made: no one may write to them with this relex.
    """
    require_latest_revision(database)
    _recover(database)
    with database.transaction() as tx:
        ended = jobs.find_unclosed(tx)
    for job_id in ended:
        close(database, job_id)
    with database.transaction() as tx:
        return Waiting(shards.claimable(tx, unloadable), runs.claimable(tx))


def _recover(database: Database) -> None:
    """Return the work of stalled workers to the queue, unless another process does so at this moment."""
    try:
        with database.transaction() as tx:
            leases.set_lock_timeout(tx, LOCK_TIMEOUT)
            if leases.try_lock_sweep(tx):
                recovered = shards.recover(tx), runs.recover(tx)
                if any(recovered):
                    logger.info("recovered %d shards and %d training runs of stalled workers", *recovered)
    except LockTimeout as error:
        logger.warning("nothing is recovered in this sweep: %s", error)


def close(database: Database, job_id: JobId) -> None:
    """Close a job if all its shards have ended.

    One that cannot be closed, or that somebody holds, must not keep the others open: it is logged, and the next sweep
    tries again.
    """
    try:
        with database.transaction() as tx:
            jobs.close_if_ended(tx, job_id)
    except LockTimeout as error:
        logger.info("%s is closed by a later sweep: %s", job_id, error)
    except DatabaseUnreachable:
        raise
    except RelexError as error:
        logger.error("%s", error)
