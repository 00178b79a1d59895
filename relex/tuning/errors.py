"""Errors of Optuna and of its database driver, as relex's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError

from relex.db.connection import Database
from relex.errors import LeaseLost

TAKEN_OVER = "the connection to Postgres broke, and another process has taken this trial over"


@contextmanager
def translate_error(database: Database) -> Iterator[None]:
    """Raise relex's errors in place of those that calls of Optuna raise in the block.

    Raises:
        LeaseLost: another process has ended the trial.
        DatabaseUnreachable, RelexError: see `Database.translated_errors`.
    """
    with database.translated_errors():
        try:
            yield
        except StorageInternalError as error:
            raise (error.__cause__ or error) from None
        except UpdateFinishedTrialError as error:
            raise LeaseLost(TAKEN_OVER) from error
