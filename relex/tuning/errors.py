"""Optuna's faults, and those of the driver below it, turned into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError

from relex.db.connection import Database
from relex.errors import LeaseLost

TAKEN_OVER = "the connection to Postgres broke, and another process has taken this trial over"


@contextmanager
def translate_error(database: Database) -> Iterator[None]:
    """Round whatever asks Optuna for something.

    Raises:
        LeaseLost: the trial has ended without us.
        DatabaseUnreachable, RelexError: as `Database.faults` says.
    """
    with database.translated_errors():
        try:
            yield
        except StorageInternalError as fault:
            raise (fault.__cause__ or fault) from None
        except UpdateFinishedTrialError as fault:
            raise LeaseLost(TAKEN_OVER) from fault
