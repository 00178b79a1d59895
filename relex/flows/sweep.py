"""Finding what fell through: expired leases, unclosed jobs, work that nobody was rung for.

Every worker sweeps every few seconds, and so do submit and status, so no single process is needed for recovery.
"""

from dataclasses import dataclass

from relex.db import jobs, recovery, runs, shards
from relex.db.connection import Database


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a worker could take now."""

    shards: int
    runs: bool


def sweep(database: Database) -> Waiting:
    """Recover what silent workers left, close the jobs that are complete, and tell what waits."""
    with database.transaction() as tx:
        if recovery.alone(tx):
            recovery.recover(tx)
            runs.recover(tx)
            jobs.close_ended(tx)
    with database.transaction() as tx:
        return Waiting(shards.claimable(tx), runs.any_queued(tx))
