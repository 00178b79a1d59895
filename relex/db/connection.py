"""The parts of a Postgres URL that its commands name.

How a session of Postgres behaves, whatever the server, the role or the database have as their defaults.

The database as the rest of relex sees it: something that opens transactions.

Every error of the driver is turned into what a person can act on where it leaves this module (:mod:`relex.db.errors`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import Conninfo
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from relex.db.errors import DRIVER_ERRORS, translate_error
from relex.errors import InvalidConfig, did_you_mean, shortened
from relex.hints.doctor import Address
from relex.settings import ENCODE

LOCAL_SOCKET = "/var/run/postgresql"
"""Where libpq looks when no host is named."""
DEFAULT_PORT = "5432"


def address_of(url: URL) -> Address:
    """Take a parsed URL apart; its options may name the host and the port too."""
    options = {name: value if isinstance(value, str) else value[0] for name, value in url.query.items()}
    user = url.username or options.get("user") or "USER"
    port = str(url.port or options.get("port") or DEFAULT_PORT)
    host = url.host or options.get("hostaddr") or options.get("host") or LOCAL_SOCKET
    name = url.database or options.get("dbname") or user
    return Address(host, int(port if port.isdigit() else DEFAULT_PORT), user, name)


EXACT = {
    "extra_float_digits": "1",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
}
"""How values are written: other settings would change digits and bytes without a word."""

SILENCE = {
    "idle_in_transaction_session_timeout": "60s",  # a stopped process must not hold its locks for ever
    "tcp_keepalives_idle": "30",  # nor a machine that is gone: Postgres would notice after two hours
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""Server-side timeouts for silent clients. `options` in the URL take precedence."""

CONNECTION = {
    "client_encoding": "UTF8",
    # A statement that was prepared in one session is unknown to the next one that a PgBouncer lends.
    "prepare_threshold": None,
}
"""What every connection is opened with; the URL cannot change it."""

NOTICE = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""How soon this side notices that Postgres does not answer, in seconds. Values given in the URL take precedence."""


def apply_in_transactions(engine: Engine, settings: Mapping[str, str]) -> None:
    """Let each transaction of an engine begin with these settings, and leave the session as it was.

    As options of the connection they would be refused by a PgBouncer, and lost when it lends another session.
    """
    calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
    statement = f"SELECT {calls}"

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


def as_options(settings: Mapping[str, str]) -> str:
    """Return the same as options of a connection, for a library that opens transactions by itself."""
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in settings.items())


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
        ours = NOTICE | {"application_name": client}
        arguments = {name: value for name, value in ours.items() if name not in parsed.query} | CONNECTION
        # A ping before use: a connection that died while a shard was scored must not cost the shard.
        self._engine = create_engine(
            parsed, pool_pre_ping=True, isolation_level="READ COMMITTED", connect_args=arguments
        )
        silence = {} if "options" in parsed.query else SILENCE
        apply_in_transactions(self._engine, EXACT | silence)

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
