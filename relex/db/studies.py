"""A schema for Optuna's tables, and the locks of studies and trials.

Optuna names its tables `trials`, `studies` and `alembic_version`; the last is also Alembic's name for relex' own, so
Optuna's are in a schema of their own. Advisory locks serialize the processes of a study and show which trials are
running: Postgres drops the lock of a trial with the connection of its process, so a killed process is noticed without a
timeout.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from relex.db.connection import Database, Transaction

SCHEMA = "optuna"

SCHEMA_EXISTS = text(f"SELECT to_regnamespace('{SCHEMA}') IS NOT NULL")
CREATE_SCHEMA = text(f"CREATE SCHEMA {SCHEMA}")
LOCK = text("SELECT pg_advisory_xact_lock(:key)")
LOCK_SESSION = text("SELECT pg_advisory_lock(:key)")
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
KEEPALIVES = text("""
    SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
        set_config('tcp_keepalives_count', '4', false)
""")
"""Notice a lost machine after 30 seconds, not after the two hours that most systems take."""


@contextmanager
def exclusive_transaction(database: Database, name: str) -> Iterator[Transaction]:
    """Open a transaction that holds the exclusive lock of this name until the end of the block."""
    with database.transaction() as tx:
        tx.execute(LOCK, {"key": _key(name)})
        yield tx


def ensure_schema(database: Database) -> None:
    """Create the schema for Optuna's tables if it does not exist.

    Raises:
        RelexError: the role has no privilege to create a schema.
    """
    with exclusive_transaction(database, SCHEMA) as tx:
        if not tx.scalar(SCHEMA_EXISTS):
            tx.execute(CREATE_SCHEMA)


@contextmanager
def lock_trial(database: Database, study: str, trial: int) -> Iterator[None]:
    """Hold the lock of a trial until the end of the block or of this process."""
    with database.session() as session:
        with database.translated_errors():
            session.execute(KEEPALIVES)
            session.execute(LOCK_SESSION, {"key": _key(study, trial)})
        yield


def is_trial_running(tx: Transaction, study: str, trial: int) -> bool:
    """Return whether the process of a trial is alive; call it under the lock of the study."""
    return not tx.scalar(TRY_LOCK, {"key": _key(study, trial)})


def _key(*words: object) -> int:
    """Return the key of an advisory lock: 64 bits."""
    return int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:8], "big", signed=True)
