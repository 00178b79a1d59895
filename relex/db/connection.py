"""The database as the rest of relex sees it: something that opens transactions.

Every fault of the driver is turned into what a person can act on where it leaves this door (:mod:`relex.db.faults`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from relex.db.faults import FROM_BELOW, told
from relex.errors import InvalidConfig
from relex.settings import ENCODE

Transaction = Connection
"""An open transaction, under the name that the flows use: they do not know SQLAlchemy."""

WORKER = "relex worker"
"""What a worker's connections are called in pg_stat_activity; all others are `relex`."""

SILENCE = {
    "idle_in_transaction_session_timeout": "60s",  # a stopped process must not hold its locks for ever
    "tcp_keepalives_idle": "30",  # nor a machine that is gone: Postgres would notice after two hours
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""How long Postgres bears with a silent client of ours; what the URL says takes the place of ours."""

NOTICE = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""And how soon we notice, in seconds, that Postgres does not answer."""

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
        ours = NOTICE | {"options": _as_options(SILENCE), "application_name": client}
        arguments = {name: value for name, value in ours.items() if name not in parsed.query}
        self._engine = create_engine(parsed, pool_pre_ping=True, connect_args=arguments)

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
        except FROM_BELOW as fault:
            error = told(fault, self.name)
            if error is None:
                raise
            raise error from fault

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()


def _as_options(settings: Mapping[str, str]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def driver(tx: Transaction) -> psycopg.Connection[tuple[Any, ...]]:
    """The psycopg connection under a transaction, for COPY."""
    connection = tx.connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("relex.db speaks psycopg 3 only")
    return connection
