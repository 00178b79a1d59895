"""How a session of Postgres behaves, whatever the server, the role or the database have as their defaults."""

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, event

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
