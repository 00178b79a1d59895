"""The database as the rest of relex sees it: something that opens transactions.

Every fault of the driver is turned here, once, into what a person can act on.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, InternalError, OperationalError, ProgrammingError

from relex.errors import DatabaseUnreachable, InvalidConfig, RelexError

Transaction = Connection
"""An open transaction, under the name that the flows use: they do not know SQLAlchemy."""

SILENCE = {
    "idle_in_transaction_session_timeout": "60s",  # a stopped process must not hold its locks for ever
    "tcp_keepalives_idle": "30",  # nor a machine that is gone: Postgres would notice after two hours
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""How long Postgres bears with a silent client of ours; `options` in the URL take the place of all these."""

NOTICE = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""And how soon we notice, in seconds, that Postgres does not answer."""

CUT_OFF = psycopg.errors.IdleInTransactionSessionTimeout
"""An end of a session that psycopg does not count among its operational errors."""

UNDEFINED_TABLE = "42P01"
INSUFFICIENT_PRIVILEGE = "42501"


class Database:
    """A pool of connections to one Postgres.

    Forked children must make their own: a socket shared by two processes mixes their answers.
    """

    def __init__(self, url: str) -> None:
        try:
            # psycopg 3 whatever the URL names: COPY and binary arrays are written for it.
            parsed = make_url(url).set(drivername="postgresql+psycopg")
        except ArgumentError as fault:
            raise InvalidConfig("RELEX_DATABASE_URL is not a URL such as postgresql://user@host/name") from fault
        # Without the query: it may hold a password too.
        self.name = parsed.set(query={}).render_as_string(hide_password=True)
        self.url = parsed.render_as_string(hide_password=False)
        """With its password: for a library that connects by itself."""
        # A ping before use: a connection that died while a shard was scored must not cost the shard.
        silence = {} if "options" in parsed.query else {"options": _as_options(SILENCE)}
        self._engine = create_engine(parsed, pool_pre_ping=True, connect_args=NOTICE | silence)

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
            RelexError: there are no tables, or this role may not use them.
        """
        try:
            yield
        except (OperationalError, InterfaceError) as fault:
            raise DatabaseUnreachable(f"Postgres at {self.name}: {_first_line(fault.orig)}") from fault
        except InternalError as fault:
            if isinstance(fault.orig, CUT_OFF):
                raise DatabaseUnreachable(f"Postgres at {self.name}: {_first_line(fault.orig)}") from fault
            raise
        except psycopg.OperationalError as fault:  # inside a COPY, which SQLAlchemy does not wrap
            raise DatabaseUnreachable(f"Postgres at {self.name}: {_first_line(fault)}") from fault
        except ProgrammingError as fault:
            sqlstate = getattr(fault.orig, "sqlstate", None)
            if sqlstate == UNDEFINED_TABLE:
                raise RelexError(f"{self.name} has no relex tables yet: run `relex db upgrade`") from fault
            if sqlstate == INSUFFICIENT_PRIVILEGE:
                words = f"{_first_line(fault.orig)}; its owner can grant this role that right"
                raise RelexError(f"{self.name}: {words}") from fault
            raise

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()


def _as_options(settings: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _first_line(fault: BaseException | None) -> str:
    """What the driver said, without SQL and parameters (they may hold sentences)."""
    return str(fault).strip().partition("\n")[0]


def driver(tx: Transaction) -> psycopg.Connection[tuple[Any, ...]]:
    """The psycopg connection under a transaction, for COPY."""
    connection = tx.connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("relex.db speaks psycopg 3 only")
    return connection
