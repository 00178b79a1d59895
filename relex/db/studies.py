"""What searches need of Postgres beside Optuna's own tables: a schema for these, and locks.

Optuna names its tables `trials`, `studies` and, as Alembic does with ours, `alembic_version`: they live in a schema of
their own. Locks say whose turn it is, and who is alive: a trial is held by a lock that Postgres drops with the
connection of the process that holds it, so a killed one needs no clock to be found out.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from relex.db.connection import Database, Transaction

SCHEMA = "optuna"

HERE = text(f"SELECT to_regnamespace('{SCHEMA}') IS NOT NULL")
CREATE = text(f"CREATE SCHEMA {SCHEMA}")
TURN = text("SELECT pg_advisory_xact_lock(:key)")
HOLD = text("SELECT pg_advisory_lock(:key)")
FREE = text("SELECT pg_try_advisory_xact_lock(:key)")
KEEPALIVES = text("""
    SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
        set_config('tcp_keepalives_count', '4', false)
""")
"""A machine that vanishes without a word is given up after 30 seconds, not after the two hours of most systems."""


@contextmanager
def turn(database: Database, name: str) -> Iterator[Transaction]:
    """Wait for one's turn among all who work under this name; it is over at the end of the block."""
    with database.transaction() as tx:
        tx.execute(TURN, {"key": _key(name)})
        yield tx


def ensure_schema(database: Database) -> None:
    """Make the schema for Optuna's tables where there is none.

    Raises:
        RelexError: this role may not.
    """
    with turn(database, SCHEMA) as tx:
        if not tx.scalar(HERE):
            tx.execute(CREATE)


@contextmanager
def hold(database: Database, study: str, trial: int) -> Iterator[None]:
    """Hold a trial as long as this block, or this process, lives."""
    with database.session() as session:
        with database.faults():
            session.execute(KEEPALIVES)
            session.execute(HOLD, {"key": _key(study, trial)})
        yield


def is_held(tx: Transaction, study: str, trial: int) -> bool:
    """Whether the process that began the trial lives; asked in one's turn."""
    return not tx.scalar(FREE, {"key": _key(study, trial)})


def _key(*words: object) -> int:
    """Advisory locks are named by 64 bits."""
    return int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:8], "big", signed=True)
