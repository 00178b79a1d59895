"""The database as the rest of relex sees it: something that opens transactions.

Every fault of the driver is turned here, once, into what a person can act on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DataError, InterfaceError, OperationalError, ProgrammingError

from relex.errors import DatabaseUnreachable, InvalidConfig, InvalidInput, RelexError, quoted
from relex.settings import ENCODE

Transaction = Connection
"""An open transaction, under the name that the flows use: they do not know SQLAlchemy."""

WORKER = "relex worker"
"""What a worker's connections are called in pg_stat_activity; all others are `relex`."""

UNDEFINED_TABLE = "42P01"
INSUFFICIENT_PRIVILEGE = "42501"

NO_URL = f"RELEX_DATABASE_URL is not a URL such as postgresql://user@host/name; {ENCODE}"


class Database:
    """A pool of connections to one Postgres, which shows them under the name of their client.

    Forked children must make their own: a socket shared by two processes mixes their answers.
    """

    def __init__(self, url: str, client: str = "relex") -> None:
        try:
            # psycopg 3 whatever the URL names: COPY and binary arrays are written for it.
            parsed = make_url(url).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError):  # whose words may hold a part of the password
            raise InvalidConfig(NO_URL) from None
        if "@" in f"{parsed.host}{parsed.database}":
            raise InvalidConfig(NO_URL)
        # Without the query: it may hold a password too.
        self.name = parsed.set(query={}).render_as_string(hide_password=True)
        self.url = parsed.render_as_string(hide_password=False)
        """With its password: for a library that connects by itself."""
        # A ping before use: a connection that died while a shard was scored must not cost the shard.
        self._engine = create_engine(
            parsed, pool_pre_ping=True, connect_args={"connect_timeout": 10, "application_name": client}
        )

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Transaction]:
        """Commit at the end, roll back on any exception; `snapshot` sees one moment in all its statements.

        Raises:
            DatabaseUnreachable: Postgres does not answer, or went away; the transaction may be in doubt.
        """
        engine = self._engine.execution_options(isolation_level="REPEATABLE READ") if snapshot else self._engine
        with self.faults(), engine.begin() as tx:
            yield tx

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection of one's own, each statement at once: what Postgres ties to a session ends with the block.

        Raises:
            DatabaseUnreachable: Postgres does not answer.
        """
        with self.faults():
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        with connection:
            yield connection

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn the driver's faults inside the block, where another library speaks to this Postgres too.

        Raises:
            DatabaseUnreachable: Postgres does not answer, or went away.
            InvalidInput: a name, an id or a number is one that Postgres does not take.
            RelexError: there are no tables, or this role may not use them.
        """
        try:
            yield
        except (OperationalError, InterfaceError) as fault:
            raise DatabaseUnreachable(f"Postgres at {self.name}: {_first_line(fault.orig)}") from fault
        except psycopg.OperationalError as fault:  # inside a COPY, which SQLAlchemy does not wrap
            raise DatabaseUnreachable(f"Postgres at {self.name}: {_first_line(fault)}") from fault
        except UnicodeEncodeError as fault:  # half a surrogate pair: a byte of the command line that is not UTF-8
            raise InvalidInput(f"{quoted(fault.object)} is not Unicode text; write it in UTF-8") from fault
        except (DataError, psycopg.DataError) as fault:
            words = _first_line(getattr(fault, "orig", fault))
            raise InvalidInput(f"Postgres does not take what was given: {words}; leave that out") from fault
        except ProgrammingError as fault:
            sqlstate = getattr(fault.orig, "sqlstate", None)
            if sqlstate == UNDEFINED_TABLE:
                raise RelexError(f"{self.name} has no relex tables yet: run `relex db upgrade`") from fault
            if sqlstate == INSUFFICIENT_PRIVILEGE:
                raise self._denied(fault.orig) from fault
            raise
        except psycopg.errors.InsufficientPrivilege as fault:  # a COPY, or a GRANT
            raise self._denied(fault) from fault

    def _denied(self, fault: BaseException | None) -> RelexError:
        remedy = "its owner can grant this role that right (relex db upgrade --help)"
        return RelexError(f"{self.name}: {_first_line(fault)}; {remedy}")

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()


def _first_line(fault: BaseException | None) -> str:
    """What the driver said, without SQL and parameters (they may hold sentences)."""
    return str(fault).strip().partition("\n")[0]


def driver(tx: Transaction) -> psycopg.Connection[tuple[Any, ...]]:
    """The psycopg connection under a transaction, for COPY."""
    connection = tx.connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("relex.db speaks psycopg 3 only")
    return connection
