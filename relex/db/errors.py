"""Translation of the driver's errors into errors of relex, which a person can act on.

Only the first line of the driver's message is repeated: the SQL and the parameters after it may contain sentences.
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
"""Every error that a transaction can raise; SQLAlchemy does not wrap the errors of psycopg inside a COPY."""

CONNECTION_ERRORS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
    DisconnectionError,
    PendingRollbackError,
    PoolTimeout,
)
"""Errors after which the same statement may succeed later; not all of them are psycopg.OperationalError."""

TOO_LARGE = "54"
"""SQLSTATE class of values that exceed a limit of Postgres."""


def translate_error(exc: Exception, database: str) -> Exception:
    """Return the error to raise in place of one of `DRIVER_ERRORS`; `database` is the name to show."""
    cause = (exc.orig or exc) if isinstance(exc, StatementError) else exc
    message = str(cause).strip().partition("\n")[0]
    for classes, translate in KNOWN_ERRORS:
        if isinstance(cause, classes):
            return translate(cause, message, database)
    if isinstance(cause, psycopg.Error) and (cause.sqlstate or "").startswith(TOO_LARGE):
        return _invalid(cause, message, database)
    if isinstance(cause, CONNECTION_ERRORS):
        return DatabaseUnreachable(f"Postgres at {database}: {message}")
    if isinstance(cause, psycopg.ProgrammingError) and cause.sqlstate is None:
        return InvalidConfig(f"RELEX_DATABASE_URL: {message}")  # libpq or psycopg rejects the value of an option
    return UnexpectedError(f"Postgres at {database}: {type(cause).__name__}: {message}; {hints.unexpected_error()}")


def _not_unicode(cause: Any, _: str, __: str) -> RelexError:
    """Explain half a surrogate pair, which stands for a byte of the command line that is not UTF-8."""
    return InvalidInput(f"{quoted(cause.object)} is not Unicode text; write it in UTF-8")


def _not_utf8(_: Any, message: str, database: str) -> RelexError:
    return RelexError(f"{database} is not encoded in UTF-8: {message}; {hints.doctor()}")


def _invalid(_: Any, message: str, __: str) -> RelexError:
    return InvalidInput(f"Postgres rejects a value: {message}; leave it out")


def _locked(_: Any, __: str, database: str) -> RelexError:
    return LockTimeout(
        f"Postgres at {database}: another process holds the lock that this command needs; try again soon"
    )


def _no_tables(_: Any, __: str, database: str) -> RelexError:
    return RelexError(f"{database} has no relex tables yet: run `{jobs.UPGRADE}`")


def _no_right(_: Any, message: str, database: str) -> RelexError:
    return RelexError(f"{database}: {message}; {jobs.grant_privileges()}")


def _read_only(_: Any, message: str, database: str) -> RelexError:
    """Return a transient error: during a failover the primary becomes a standby, and later a primary again."""
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
"""Errors with a message of their own; the first class that matches applies."""
