"""Two transactions at the same moment, in a given order, without luck: the second begins while the first is open."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from relex.db.connection import Database, Transaction
from tests.processes import wait_until

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

Said = TypeVar("Said")


def while_open(database: Database, first: Callable[[Transaction], object], second: Callable[[], Said]) -> Said:
    """What `second` returns or raises, when it begins after `first` was executed and before that is committed.

    It has then come to its end already, or waits for a lock that `first` holds until its commit.
    """
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as tx:
            first(tx)
            said = pool.submit(second)
            wait_until(lambda: said.done() or waits(database))
        return said.result(timeout=30)


def waits(database: Database) -> bool:
    """Whether somebody waits for a lock."""
    with database.transaction() as tx:
        return bool(tx.exec_driver_sql(WAITING).scalar_one())
