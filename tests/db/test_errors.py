"""Every error of the drivers becomes one line; those of the world are transient, so that a worker survives them."""

import inspect

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import exc

from relex.db.errors import DRIVER_ERRORS, translate_error
from relex.errors import DatabaseUnreachable, InvalidConfig, InvalidInput, RelexError, Transient, UnexpectedError

WORDS = "the first line\nSELECT a sentence that nobody may read"


def classes_of(module, base):
    return sorted({each for _, each in inspect.getmembers(module, inspect.isclass) if issubclass(each, base)}, key=repr)


PSYCOPG = classes_of(errors, psycopg.Error) + classes_of(psycopg, psycopg.Error)
TRANSIENT_STATES = ("08", "40", "53", "57", "58", "25006", "25P03", "25P04", "55P03")
"""Connection, rollback, resources, an operator, the system; read-only; sessions that were ended; locks."""


@pytest.mark.parametrize("kind", PSYCOPG, ids=lambda kind: kind.__name__)
def test_every_error_of_psycopg_becomes_one_line(kind):
    error = translate_error(exc.DBAPIError("SELECT", {}, kind(WORDS)), "postgresql://host/x")
    assert isinstance(error, RelexError | UnexpectedError)
    assert "nobody may read" not in str(error)
    assert "\n" not in str(error)
    if (kind.sqlstate or "").startswith(TRANSIENT_STATES):
        assert isinstance(error, Transient)
    assert type(translate_error(kind(WORDS), "x")) is type(error), "inside a COPY it comes bare"


@pytest.mark.parametrize("kind", classes_of(exc, exc.SQLAlchemyError), ids=lambda kind: kind.__name__)
def test_every_error_of_sqlalchemy_is_known(kind):
    assert issubclass(kind, DRIVER_ERRORS)
    wrapping = issubclass(kind, exc.StatementError)
    error = translate_error(kind("x", "SELECT", {}, psycopg.Error("x")) if wrapping else kind.__new__(kind), "x")
    assert isinstance(error, RelexError | UnexpectedError)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (errors.ReadOnlySqlTransaction("x"), DatabaseUnreachable),
        (exc.TimeoutError("QueuePool limit"), DatabaseUnreachable),
        (exc.PendingRollbackError("x"), DatabaseUnreachable),
        (errors.ProgramLimitExceeded("index row size"), InvalidInput),
        (errors.UntranslatableCharacter("x"), RelexError),
        (psycopg.ProgrammingError('invalid connection option "x"'), InvalidConfig),
        (errors.UndefinedColumn("x"), UnexpectedError),
        (errors.UniqueViolation("x"), UnexpectedError),
    ],
    ids=repr,
)
def test_what_an_error_means(cause, kind):
    assert type(translate_error(cause, "x")) is kind
