"""What the driver's faults mean to a person: the one place where they are turned into relex' own errors.

What the driver said is repeated in its first line alone: the SQL and the parameters behind it may hold sentences.
"""

import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from relex.errors import DatabaseUnreachable, InvalidInput, LockTimeout, RelexError, quoted

FROM_BELOW = (DBAPIError, psycopg.Error, UnicodeEncodeError)
"""What comes up from under a transaction; inside a COPY SQLAlchemy does not wrap psycopg's."""

GONE = (psycopg.OperationalError, psycopg.InterfaceError, errors.IdleInTransactionSessionTimeout)
"""The last is the end of a session that psycopg does not count among its operational errors."""


def told(fault: Exception, database: str) -> RelexError | None:
    """The error to raise in a fault's place, where `database` is how the database is called; None for a bug of ours."""
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    words = str(cause).strip().partition("\n")[0]
    match cause:
        case UnicodeEncodeError():  # half a surrogate pair: a byte of the command line that is not UTF-8
            return InvalidInput(f"{quoted(cause.object)} is not Unicode text; write it in UTF-8")
        case psycopg.DataError():
            return InvalidInput(f"Postgres does not take what was given: {words}; leave that out")
        case errors.LockNotAvailable():
            return LockTimeout(f"Postgres at {database}: a worker holds what this waits for; try again soon")
        case errors.UndefinedTable():
            return RelexError(f"{database} has no relex tables yet: run `relex db upgrade`")
        case errors.InsufficientPrivilege():
            remedy = "its owner can grant this role that right (relex db upgrade --help)"
            return RelexError(f"{database}: {words}; {remedy}")
    return DatabaseUnreachable(f"Postgres at {database}: {words}") if isinstance(cause, GONE) else None
