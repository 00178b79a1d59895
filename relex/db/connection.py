"""The database as the rest of relex sees it: a pool of connections that opens transactions.

Every session behaves the same, whatever defaults the server, the role or the database have. Errors of the driver leave
this module as errors of relex, with a message that a person can act on (:mod:`relex.db.errors`).
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
"""The folder in which libpq looks for a socket when no host is named."""
DEFAULT_PORT = "5432"


def address_of(url: URL) -> Address:
    """Return the address that a parsed URL names; its options may name the host and the port too."""
    options = {name: value if isinstance(value, str) else value[0] for name, value in url.query.items()}
    user = url.username or options.get("user") or "USER"
    port = str(url.port or options.get("port") or DEFAULT_PORT)
    host = url.host or options.get("hostaddr") or options.get("host") or LOCAL_SOCKET
    name = url.database or options.get("dbname") or user
    return Address(host, int(port if port.isdigit() else DEFAULT_PORT), user, name)


VALUE_FORMATS = {
    "extra_float_digits": "1",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
}
"""How Postgres writes values: other settings would silently change digits and bytes."""

IDLE_TIMEOUTS = {
    "idle_in_transaction_session_timeout": "60s",  # a stopped process must not keep its locks
    "tcp_keepalives_idle": "30",  # a lost machine is noticed in a minute, not after two hours
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""Server-side timeouts for idle and lost clients. `options` in the URL take precedence."""

CONNECT_ARGS = {
    "client_encoding": "UTF8",
    # A statement that was prepared in one session is unknown to the next one that a PgBouncer lends.
    "prepare_threshold": None,
}
"""Arguments that every connection is opened with; the URL cannot change them."""

CLIENT_TIMEOUTS = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Client-side timeouts in seconds for a Postgres that does not answer. Values in the URL take precedence."""


def apply_in_transactions(engine: Engine, settings: Mapping[str, str]) -> None:
    """Begin each transaction of an engine with these settings; they end with the transaction.

    PgBouncer would reject them as options of the connection, or lose them when it switches to another session.
    """
    calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
    statement = f"SELECT {calls}"

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


def as_options(settings: Mapping[str, str]) -> str:
    """Return session settings as options of a connection, for a library that opens transactions by itself."""
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in settings.items())


Transaction = Connection
"""An open transaction, under the name that the flows use: they do not know SQLAlchemy."""

WORKER = "relex worker"
"""Application name of a worker's connections in pg_stat_activity; that of all others is `relex`."""

NO_URL = f"RELEX_DATABASE_URL is not a URL such as postgresql://user@host/name; {ENCODE}"
SCHEMES = ("postgresql", "postgres")
"""Schemes of a Postgres URL; the name of a driver may follow after a plus sign."""


class Database:
    """A pool of connections to one Postgres database.

    A forked child must open its own pool: a socket shared by two processes mixes their replies. `client` is the
    application name of the connections in pg_stat_activity.
    """

    def __init__(self, url: str, client: str = "relex") -> None:
        parsed = _parse(url)
        self.address = address_of(parsed)
        # Without the query: it may hold a password too.
        self.name = parsed.set(query={}).render_as_string(hide_password=True)
        self.url = parsed.render_as_string(hide_password=False)
        """URL with its password, for a library that connects by itself."""
        defaults = CLIENT_TIMEOUTS | {"application_name": client}
        arguments = {name: value for name, value in defaults.items() if name not in parsed.query} | CONNECT_ARGS
        # A ping before use: a connection that died while a shard was scored must not cost the shard.
        self._engine = create_engine(
            parsed, pool_pre_ping=True, isolation_level="READ COMMITTED", connect_args=arguments
        )
        timeouts = {} if "options" in parsed.query else IDLE_TIMEOUTS
        apply_in_transactions(self._engine, VALUE_FORMATS | timeouts)

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Transaction]:
        """Open a transaction: commit at the end, roll back on any exception.

        With `snapshot`, all statements see the data as of one moment.

        Raises:
            DatabaseUnreachable: Postgres does not answer, or went away; the transaction may be in doubt.
        """
        engine = self._engine.execution_options(isolation_level="REPEATABLE READ") if snapshot else self._engine
        with self.translated_errors(), engine.begin() as tx:
            yield tx

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Open a connection outside the pool, in autocommit mode; session-level locks end with the block.

        Raises:
            DatabaseUnreachable: Postgres does not answer.
        """
        with self.translated_errors():
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        with connection:
            yield connection

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Translate the driver's errors inside the block; another library may use this Postgres there.

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
    """Parse a URL of Postgres and set psycopg 3 as its driver, whichever driver it names.

    Raises:
        InvalidConfig: it is not a URL of Postgres, or has an option that libpq does not know; the message never repeats
            a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # their messages may contain a part of the password
        raise InvalidConfig(NO_URL) from None
    if "@" in f"{parsed.host}{parsed.database}":
        raise InvalidConfig(NO_URL)
    scheme = parsed.drivername.partition("+")[0]
    if scheme not in SCHEMES:
        raise InvalidConfig(
            f"RELEX_DATABASE_URL begins with {shortened(scheme)}://, but relex works only with Postgres: "
            "write postgresql://USER:PASSWORD@HOST/NAME"
        )
    options = [option.keyword.decode() for option in Conninfo.get_defaults()]
    unknown = [f"{shortened(name)}{did_you_mean(name, options)}" for name in parsed.query if name not in options]
    if unknown:
        raise InvalidConfig(f"RELEX_DATABASE_URL: unknown option {', '.join(unknown)}: leave it out")
    return parsed.set(drivername="postgresql+psycopg")


def driver(tx: Transaction) -> psycopg.Connection[tuple[Any, ...]]:
    """Return the psycopg connection under a transaction, for COPY."""
    connection = tx.connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("relex.db works only with psycopg 3")
    return connection
