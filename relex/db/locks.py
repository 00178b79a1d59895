"""Locks between transactions: the lock of the sweep, and limits on the time spent waiting for locks.

A process that freezes in the middle of a transaction (a stopped machine, a broken network) keeps its locks until it
continues or Postgres ends its session after a minute. Others must not wait that long.
"""

from sqlalchemy import text

from relex.db.connection import Transaction

SWEEP = 7265121  # any number, the same in every relex
SWEEP_IDLE_TIMEOUT = "5s"
"""Idle time after which Postgres ends a session with the sweep's lock; every recovery and command waits for it."""

TRY_LOCK_SWEEP = text(f"SELECT pg_try_advisory_xact_lock({SWEEP})")
LOCK_SWEEP = text(f"SELECT pg_advisory_xact_lock({SWEEP})")
LIMIT_IDLE = text("SELECT set_config('idle_in_transaction_session_timeout', :timeout, true)")
LIMIT_WAITS = text("SELECT set_config('lock_timeout', :timeout, true)")


def try_lock_sweep(tx: Transaction) -> bool:
    """Try to lock the sweep until the transaction ends; return False if another worker has the lock."""
    tx.execute(LIMIT_IDLE, {"timeout": SWEEP_IDLE_TIMEOUT})
    return bool(tx.scalar(TRY_LOCK_SWEEP))


def lock_sweep(tx: Transaction) -> None:
    """Lock the sweep until the transaction ends; wait for one that is running."""
    tx.execute(LIMIT_IDLE, {"timeout": SWEEP_IDLE_TIMEOUT})
    tx.execute(LOCK_SWEEP)


def limit_waits(tx: Transaction, timeout: str) -> None:
    """Limit how long a statement of the transaction waits for a lock; `timeout` is such as '5s'.

    A statement that waits longer raises :class:`relex.errors.LockTimeout`.
    """
    tx.execute(LIMIT_WAITS, {"timeout": timeout})
