"""The database as the rest of relex sees it: something that opens transactions.

Every error of the driver is turned into what a person can act on where it leaves this module (:mod:`relex.db.errors`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import Conninfo
from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from relex.db import session
from relex.db.address import address_of
from relex.db.errors import DRIVER_ERRORS, translate_error
from relex.errors import InvalidConfig, did_you_mean, shortened
from relex.settings import ENCODE

Transaction = Connection
"""An open transaction, under the name that the flows use: they do not know SQLAlchemy."""

WORKER = "relex worker"
"""What a worker's connections are called in pg_stat_activity; all others are `relex`."""

NO_URL = f"RELEX_DATABASE_URL is not a URL such as postgresql://user@host/name; {ENCODE}"
SCHEMES = ("postgresql", "postgres")
"""What a URL of Postgres begins with; a driver may stand behind a plus sign."""


class Database:
    """A pool of connections to one Postgres, which shows them under the name of their client.

    Forked children must make their own: a socket shared by two processes mixes their answers.
    """

    def __init__(self, url: str, client: str = "relex") -> None:
        parsed = _parse(url)
        self.address = address_of(parsed)
        # Without the query: it may hold a password too.
        self.name = parsed.set(query={}).render_as_string(hide_password=True)
        self.url = parsed.render_as_string(hide_password=False)
        """With its password: for a library that connects by itself."""
        ours = session.NOTICE | {"application_name": client}
        arguments = {name: value for name, value in ours.items() if name not in parsed.query} | session.CONNECTION
        # A ping before use: a connection that died while a shard was scored must not cost the shard.
        self._engine = create_engine(
            parsed, pool_pre_ping=True, isolation_level="READ COMMITTED", connect_args=arguments
        )
        silence = {} if "options" in parsed.query else session.SILENCE
        session.apply_in_transactions(self._engine, session.EXACT | silence)

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
            DatabaseUnreachable: Postgres does not answer, went away, or is read-only.
            InvalidInput: a name, an id or a number is one that Postgres does not take.
            RelexError: there are no tables, or this role may not use them.
            UnexpectedError: whatever else the driver raises.
        """
        try:
            yield
        except DRIVER_ERRORS as exc:
            raise translate_error(exc, self.name) from exc

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()


def _parse(url: str) -> URL:
    """Return a URL's parts for psycopg 3, for which COPY and binary arrays are written, whatever driver it names.

    Raises:
        InvalidConfig: it is no URL of Postgres, or has an option that libpq does not know; no password is repeated.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # whose words may hold a part of the password
        raise InvalidConfig(NO_URL) from None
    if "@" in f"{parsed.host}{parsed.database}":
        raise InvalidConfig(NO_URL)
    scheme = parsed.drivername.partition("+")[0]
    if scheme not in SCHEMES:
        raise InvalidConfig(
            f"RELEX_DATABASE_URL begins with {shortened(scheme)}://, but relex works with Postgres alone: "
            "write postgresql://USER:PASSWORD@HOST/NAME"
        )
    options = [option.keyword.decode() for option in Conninfo.get_defaults()]
    unknown = [f"{shortened(name)}{did_you_mean(name, options)}" for name in parsed.query if name not in options]
    if unknown:
        raise InvalidConfig(f"RELEX_DATABASE_URL: unknown option {', '.join(unknown)}: leave it out")
    return parsed.set(drivername="postgresql+psycopg")


def driver(tx: Transaction) -> psycopg.Connection[tuple[Any, ...]]:
    """The psycopg connection under a transaction, for COPY."""
    connection = tx.connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("relex.db speaks psycopg 3 only")
    return connection
