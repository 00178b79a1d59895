"""Locks between transactions: who sweeps, and how long anybody waits for a lock.

A process that freezes in the middle of a transaction (a stopped machine, a network that swallows) keeps its locks until
it continues or Postgres ends its session after a minute. Nobody may wait for it for as long as that.
"""

from sqlalchemy import text

from relex.db.connection import Transaction

SWEEP = 7265121  # any number, the same in every relex
SILENCE = "5s"
"""Who holds the sweep's lock holds up every recovery and every verb, so a silent one is ended sooner than others."""

TRY_LOCK_SWEEP = text(f"SELECT pg_try_advisory_xact_lock({SWEEP})")
LOCK_SWEEP = text(f"SELECT pg_advisory_xact_lock({SWEEP})")
LIMIT_SILENCE = text("SELECT set_config('idle_in_transaction_session_timeout', :timeout, true)")
LIMIT_WAITS = text("SELECT set_config('lock_timeout', :timeout, true)")


def try_lock_sweep(tx: Transaction) -> bool:
    """Return whether no other worker sweeps at this moment; the lock is held until the transaction ends."""
    tx.execute(LIMIT_SILENCE, {"timeout": SILENCE})
    return bool(tx.scalar(TRY_LOCK_SWEEP))


def lock_sweep(tx: Transaction) -> None:
    """Wait for a sweep that is in progress, and let none begin until the transaction ends."""
    tx.execute(LIMIT_SILENCE, {"timeout": SILENCE})
    tx.execute(LOCK_SWEEP)


def limit_waits(tx: Transaction, timeout: str) -> None:
    """Let no statement of the transaction wait longer than `timeout` (such as '5s') for a lock.

    A statement that would raises :class:`relex.errors.LockTimeout`.
    """
    tx.execute(LIMIT_WAITS, {"timeout": timeout})
