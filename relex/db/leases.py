"""Leases on rows: how workers claim, keep and give back shards and training runs.

    waiting --claim--> running --write--> ended
       ^                  |
       +--- release ------+    under a new fencing token: nothing of this claim is accepted any more
       +--- recover ------+    under the same token: the lease ran out

Every write after the claim repeats the claim's fencing token and is refused (:class:`LeaseLost`) once another worker
has claimed the row, or it was cancelled. A lease that ran out does not prove that its worker is dead: Postgres may have
been away for longer. So a worker that comes back under its old token is accepted as long as nobody else has claimed
the row; what it computed is not thrown away. All times are the database's: a worker's clock is never asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, Table, TextClause, and_, case, func, text, update

from relex.db.connection import Transaction
from relex.db.tables import fencing_tokens
from relex.errors import LeaseLost

RUNNING = "running"

CLAIMED = """
    state = 'running', token = nextval('fencing_tokens'), worker = :worker,
    lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
"""
"""What every claim sets, with the parameters `worker` and `lease_seconds`."""

RECONNECT = "interval '10 seconds'"
"""How long after its own start Postgres holds a missing renewal against nobody: workers must find it again first."""

now = func.clock_timestamp()


class Claim(Protocol):
    """What a worker holds after a claim."""

    @property
    def token(self) -> int:
        """The fencing token of the claim."""


Claimed = TypeVar("Claimed", bound=Claim)


@dataclass(frozen=True)
class Leased(Generic[Claimed]):
    """A table whose rows are worked on under leases."""

    table: Table
    waiting: str
    """The state of a row that may be claimed."""
    silences: str
    """The column that counts the workers whose lease on the row ran out."""
    row: Callable[[Claimed], ColumnElement[bool]]
    """Which row a claim is about."""
    loss: Callable[[Transaction, Claimed], str]
    """What to say when a write of a claim is refused."""

    def held(self, claim: Claimed) -> ColumnElement[bool]:
        """The row of a claim, while no other claim was made and nothing else ended this one."""
        table = self.table.c
        return and_(self.row(claim), table.token == claim.token, table.state.in_([RUNNING, self.waiting]))


def write(tx: Transaction, leased: Leased[Claimed], claim: Claimed, **values: object) -> None:
    """Change the row of a claim.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    if tx.execute(update(leased.table).where(leased.held(claim)).values(**values)).rowcount != 1:
        raise LeaseLost(leased.loss(tx, claim))


def renew(tx: Transaction, leased: Leased[Claimed], claim: Claimed, lease_seconds: float, **values: object) -> None:
    """Keep the row of a claim for another `lease_seconds`; a lease that ran out meanwhile is taken up again.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    table = leased.table.c
    silences = table[leased.silences]
    alive = case((table.state == RUNNING, silences), else_=func.greatest(silences - 1, 0))
    values = {leased.silences: alive} | values
    write(tx, leased, claim, state=RUNNING, lease_until=now + timedelta(seconds=lease_seconds), **values)


def end(tx: Transaction, leased: Leased[Claimed], claim: Claimed, state: str, **values: object) -> None:
    """End the row of a claim in its last state.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    write(tx, leased, claim, state=state, lease_until=None, finished_at=now, **values)


def release(
    tx: Transaction,
    leased: Leased[Claimed],
    claim: Claimed,
    reason: str | None,
    delay_seconds: float = 0.0,
    **values: object,
) -> None:
    """Give the row of a claim back to the queue; it may be claimed again after the delay.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    write(
        tx,
        leased,
        claim,
        state=leased.waiting,
        token=fencing_tokens.next_value(),
        lease_until=None,
        worker=None,
        not_before=now + timedelta(seconds=delay_seconds),
        error=reason,
        **values,
    )


def recovery(leased: Leased[Claimed]) -> TextClause:
    """The statement that returns to the queue what silent workers hold.

    It waits for no lock: a worker that froze in the middle of a transaction has its row locked, and the recovery of all
    others must not wait until it continues or Postgres ends its session. A lease that ran out while Postgres itself was
    down says nothing about its worker and is not counted.
    """
    table, silences = leased.table.name, leased.silences
    key = [column.name for column in leased.table.primary_key]
    return text(f"""
        WITH silent AS (
            SELECT {", ".join(key)} FROM {table}
            WHERE state = '{RUNNING}' AND lease_until < clock_timestamp()
            FOR UPDATE SKIP LOCKED
        )
        UPDATE {table}
        SET state = '{leased.waiting}', lease_until = NULL, {silences} = {silences}
            + CASE WHEN lease_until > pg_postmaster_start_time() + {RECONNECT} THEN 1 ELSE 0 END
        FROM silent
        WHERE {" AND ".join(f"{table}.{name} = silent.{name}" for name in key)}
    """)  # noqa: S608 - the names are those of our own tables
