"""What the driver's errors mean to a person: the one place where they are turned into relex' own errors.

What the driver said is repeated in its first line alone: the SQL and the parameters behind it may hold sentences.
"""

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import errors
from sqlalchemy.exc import DisconnectionError, PendingRollbackError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from relex.errors import (
    DatabaseUnreachable,
    InvalidConfig,
    InvalidInput,
    LockTimeout,
    RelexError,
    UnexpectedError,
    quoted,
)
from relex.hints import doctor as hints
from relex.hints import jobs

DRIVER_ERRORS = (SQLAlchemyError, psycopg.Error, UnicodeEncodeError)
"""What can come out of a transaction; inside a COPY SQLAlchemy does not wrap psycopg's errors."""

CONNECTION_ERRORS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
    DisconnectionError,
    PendingRollbackError,
    PoolTimeout,
)
"""The same statement may succeed later; psycopg does not count all of them among its operational errors."""

TOO_LARGE = "54"
"""The class of SQLSTATE for values that exceed a limit of Postgres."""


def translate_error(exc: Exception, database: str) -> Exception:
    """Return the error to raise in place of one of `DRIVER_ERRORS`; `database` is how the database is called."""
    cause = (exc.orig or exc) if isinstance(exc, StatementError) else exc
    message = str(cause).strip().partition("\n")[0]
    for kinds, translate in KNOWN_ERRORS:
        if isinstance(cause, kinds):
            return translate(cause, message, database)
    if isinstance(cause, psycopg.Error) and (cause.sqlstate or "").startswith(TOO_LARGE):
        return _invalid(cause, message, database)
    if isinstance(cause, CONNECTION_ERRORS):
        return DatabaseUnreachable(f"Postgres at {database}: {message}")
    if isinstance(cause, psycopg.ProgrammingError) and cause.sqlstate is None:
        return InvalidConfig(f"RELEX_DATABASE_URL: {message}")  # libpq or psycopg refuses an option's value
    return UnexpectedError(f"Postgres at {database}: {type(cause).__name__}: {message}; {hints.unexpected_error()}")


def _not_unicode(cause: Any, _: str, __: str) -> RelexError:
    """Half a surrogate pair: a byte of the command line that is not UTF-8."""
    return InvalidInput(f"{quoted(cause.object)} is not Unicode text; write it in UTF-8")


def _not_utf8(_: Any, message: str, database: str) -> RelexError:
    return RelexError(f"{database} is not encoded in UTF-8: {message}; {hints.doctor()}")


def _invalid(_: Any, message: str, __: str) -> RelexError:
    return InvalidInput(f"Postgres rejects a value: {message}; leave it out")


def _locked(_: Any, __: str, database: str) -> RelexError:
    return LockTimeout(f"Postgres at {database}: another process holds a lock that this needs; try again soon")


def _no_tables(_: Any, __: str, database: str) -> RelexError:
    return RelexError(f"{database} has no relex tables yet: run `{jobs.UPGRADE}`")


def _no_right(_: Any, message: str, database: str) -> RelexError:
    return RelexError(f"{database}: {message}; {jobs.grant_rights()}")


def _read_only(_: Any, message: str, database: str) -> RelexError:
    """Transient: after a failover the primary becomes a standby, and back."""
    return DatabaseUnreachable(f"Postgres at {database} is read-only: {message}; {hints.doctor()}")


KNOWN_ERRORS: tuple[tuple[type[BaseException], Callable[[Any, str, str], RelexError]], ...] = (
    (UnicodeEncodeError, _not_unicode),
    (errors.UntranslatableCharacter, _not_utf8),
    (psycopg.DataError, _invalid),
    (errors.LockNotAvailable, _locked),
    (errors.UndefinedTable, _no_tables),
    (errors.InsufficientPrivilege, _no_right),
    (errors.ReadOnlySqlTransaction, _read_only),
)
"""The errors with a suggestion of their own; the first kind that fits holds."""
