"""Python reads this at its start where its folder is on PYTHONPATH: it plants one known bug into relex.

So it is shown that the fault suite would notice. FAULTS_PLANT names the bug; nothing of it is in relex itself.
"""

import os

from sqlalchemy import ColumnElement, and_, text

import cli.submit
from relex.db import shards
from relex.db.leases import LeasedTable
from relex.domain.jobs import Shard
from relex.flows.submit import Submission
from relex.settings import Settings
from worker.dispatch import notify_scorers


def _held_by_anybody(leased: LeasedTable[Shard], shard: Shard) -> ColumnElement[bool]:
    return and_(leased.row(shard), leased.table.c.state.in_(["running", "pending"]))


def no_fencing() -> None:
    """A worker writes to a shard whatever its token."""
    LeasedTable.is_valid = _held_by_anybody  # type: ignore[assignment, method-assign]


def no_lease() -> None:
    """The sweep takes every shard that is in hand for one whose worker is stalled."""
    shards.RECOVER = text(str(shards.RECOVER).replace("lease_until < clock_timestamp()", "true"))


def early_doorbell() -> None:
    """A submit rings first and commits then."""
    submit = cli.submit.submit

    def ring_and_submit(*arguments: object) -> list[Submission]:
        notify_scorers(Settings.from_env(), 1)
        return submit(*arguments)  # type: ignore[arg-type]

    cli.submit.submit = ring_and_submit
    assert cli.submit.notify_scorers  # what rings after the COMMIT
    cli.submit.notify_scorers = lambda *_: None


BUGS = {
    "no fencing": no_fencing,
    "no lease": no_lease,
    "early doorbell": early_doorbell,
}

BUGS[os.environ["FAULTS_PLANT"]]()
