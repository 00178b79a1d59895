"""Leases on rows: how workers claim, renew and release shards and training runs.

    waiting --claim--> running --write--> ended
       ^                  |
       +--- release ------+    under a new fencing token: late writes of the claim are refused
       +--- recover ------+    under the same token: the lease expired (shards: relex.db.shards.recover)

Every write after the claim repeats its fencing token, and is refused (:class:`LeaseLost`) once another worker has
claimed the row or it was cancelled. An expired lease does not prove that its worker is dead: Postgres may have been
unreachable for longer. So a worker that returns under its old token is accepted until another worker claims the row,
and its results are kept. All times are the database's; the clocks of workers are never used.

A process that freezes in the middle of a transaction (a stopped machine, a broken network) keeps its locks until it
continues or Postgres ends its session after a minute. Others must not wait that long, so lock waits, and the time for
which a session may hold the sweep lock, are limited.
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

CLAIM_ASSIGNMENTS = """
    state = 'running', token = nextval('fencing_tokens'), worker = :worker,
    lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
"""
"""Assignments of every claim, with the parameters `worker` and `lease_seconds`."""

RECONNECT_GRACE = "interval '10 seconds'"
"""Time after the start of Postgres in which a missed renewal is not counted: workers must reconnect first."""

now = func.clock_timestamp()

SWEEP_LOCK_ID = 7265121  # arbitrary, but must be the same in all processes
SWEEP_IDLE_TIMEOUT = "5s"
"""Idle time after which Postgres ends a session that holds the sweep lock: every recovery and command waits for it."""

TRY_LOCK_SWEEP = text(f"SELECT pg_try_advisory_xact_lock({SWEEP_LOCK_ID})")
LOCK_SWEEP = text(f"SELECT pg_advisory_xact_lock({SWEEP_LOCK_ID})")
SET_IDLE_TIMEOUT = text("SELECT set_config('idle_in_transaction_session_timeout', :timeout, true)")
SET_LOCK_TIMEOUT = text("SELECT set_config('lock_timeout', :timeout, true)")


class Claim(Protocol):
    """A claimed row, as its worker sees it."""

    @property
    def token(self) -> int:
        """Return the fencing token of the claim."""


ClaimT = TypeVar("ClaimT", bound=Claim)


@dataclass(frozen=True)
class LeasedTable(Generic[ClaimT]):
    """A table whose rows are claimed under leases."""

    table: Table
    waiting: str
    """State of a row that may be claimed."""
    expiries: str
    """Column that counts the workers whose lease on the row expired."""
    row: Callable[[ClaimT], ColumnElement[bool]]
    """Returns the condition that selects the row of a claim."""
    lease_lost_message: Callable[[Transaction, ClaimT], str]
    """Returns the message for a write that was refused because the lease was lost."""

    def is_valid(self, claim: ClaimT) -> ColumnElement[bool]:
        """Return the condition that a claim is still valid: no later claim was made and the row has not ended."""
        table = self.table.c
        return and_(self.row(claim), table.token == claim.token, table.state.in_([RUNNING, self.waiting]))


def write(tx: Transaction, leased: LeasedTable[ClaimT], claim: ClaimT, **values: object) -> None:
    """Change the row of a claim.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    if tx.execute(update(leased.table).where(leased.is_valid(claim)).values(**values)).rowcount != 1:
        raise LeaseLost(leased.lease_lost_message(tx, claim))


def renew(tx: Transaction, leased: LeasedTable[ClaimT], claim: ClaimT, lease_seconds: float, **values: object) -> None:
    """Keep the row of a claim for another `lease_seconds`; an expired lease is resumed.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    table = leased.table.c
    expiries = table[leased.expiries]
    corrected_expiries = case((table.state == RUNNING, expiries), else_=func.greatest(expiries - 1, 0))
    values = {leased.expiries: corrected_expiries} | values
    write(tx, leased, claim, state=RUNNING, lease_until=now + timedelta(seconds=lease_seconds), **values)


def end(tx: Transaction, leased: LeasedTable[ClaimT], claim: ClaimT, state: str, **values: object) -> None:
    """End the row of a claim in a final state.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    write(tx, leased, claim, state=state, lease_until=None, finished_at=now, **values)


def release(
    tx: Transaction,
    leased: LeasedTable[ClaimT],
    claim: ClaimT,
    reason: str | None,
    delay_seconds: float = 0.0,
    **values: object,
) -> None:
    """Return the row of a claim to the queue; it may be claimed again after the delay.

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


def recovery(leased: LeasedTable[ClaimT]) -> TextClause:
    """Return the statement that puts rows with expired leases back into the queue.

    It waits for no lock: a worker that froze in the middle of a transaction has its row locked, and the recovery of all
    others must not wait until it continues or Postgres ends its session. A lease that expired while Postgres itself was
    down says nothing about its worker and is not counted.
    """
    table, expiries = leased.table.name, leased.expiries
    key = [column.name for column in leased.table.primary_key]
    return text(f"""
        WITH stalled AS (
            SELECT {", ".join(key)} FROM {table}
            WHERE state = '{RUNNING}' AND lease_until < clock_timestamp()
            FOR UPDATE SKIP LOCKED
        )
        UPDATE {table}
        SET state = '{leased.waiting}', lease_until = NULL, {expiries} = {expiries}
            + CASE WHEN lease_until > pg_postmaster_start_time() + {RECONNECT_GRACE} THEN 1 ELSE 0 END
        FROM stalled
        WHERE {" AND ".join(f"{table}.{name} = stalled.{name}" for name in key)}
    """)  # noqa: S608 - the names are those of relex' own tables


def try_lock_sweep(tx: Transaction) -> bool:
    """Try to lock the sweep until the transaction ends; return False if another worker has the lock."""
    tx.execute(SET_IDLE_TIMEOUT, {"timeout": SWEEP_IDLE_TIMEOUT})
    return bool(tx.scalar(TRY_LOCK_SWEEP))


def lock_sweep(tx: Transaction) -> None:
    """Lock the sweep until the transaction ends; wait for one that is running."""
    tx.execute(SET_IDLE_TIMEOUT, {"timeout": SWEEP_IDLE_TIMEOUT})
    tx.execute(LOCK_SWEEP)


def set_lock_timeout(tx: Transaction, timeout: str) -> None:
    """Limit how long a statement of the transaction waits for a lock.

    `timeout` is a Postgres duration, such as '5s'; a statement that waits longer raises
    :class:`relex.errors.LockTimeout`.
    """
    tx.execute(SET_LOCK_TIMEOUT, {"timeout": timeout})
