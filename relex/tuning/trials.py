"""One trial of a study: a running trial of this process, or the result of any process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from relex.db.connection import Database
from relex.errors import LeaseLost
from relex.tuning.space import Changes

TAKEN_OVER = "the connection to Postgres broke, and another process has taken this trial over"

REASON = "reason"
"""Attribute of a trial that failed because of its values; a failed trial without it is tried again."""


class TrialEnd(StrEnum):
    """The outcome of a trial."""

    DONE = "done"
    PRUNED = "pruned"
    FAILED = "failed"


class Pruned(Exception):
    """The pruner stops this trial: it scores below the median of the others at the same epoch."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of a trial that has ended."""

    number: int
    changes: Changes
    end: TrialEnd
    score: float | None
    """Score, x100; of a pruned trial, the best score that it reported."""
    reason: str | None
    """Why the trial failed; None if it did not."""


class Trial:
    """A running trial of this process."""

    def __init__(self, database: Database, study: optuna.Study, trial: optuna.Trial, changes: Changes) -> None:
        self._database = database
        self._study = study
        self._trial = trial
        self.number = trial.number
        self.changes = changes

    def report(self, epoch: int, score: float) -> None:
        """Report the score of an epoch; epochs count from 1.

        Raises:
            Pruned: the training should stop here.
            LeaseLost: the connection broke and another process has taken the trial over.
            DatabaseUnreachable: Postgres does not answer.
        """
        with translate_error(self._database):
            self._trial.report(score, epoch)
            if self._trial.should_prune():
                raise Pruned

    def finish(self, score: float) -> None:
        """End the trial with its score; this method, `prune` and `fail` may be repeated after an error."""
        self._end(TrialState.COMPLETE, score)

    def prune(self) -> None:
        """End the trial early, as pruned."""
        self._end(TrialState.PRUNED)

    def fail(self, reason: str) -> None:
        """End the trial without a score because of its values."""
        with translate_error(self._database):
            self._trial.set_user_attr(REASON, reason)
        self._end(TrialState.FAIL)

    def release(self) -> None:
        """End the trial so that this or another process tries its values again."""
        self._end(TrialState.FAIL)

    def _end(self, state: TrialState, score: float | None = None) -> None:
        with translate_error(self._database):
            frozen = self._study.tell(self._trial, score, state, skip_if_finished=True)
        if frozen.state is not state:
            raise LeaseLost(TAKEN_OVER)


def is_retryable(trial: FrozenTrial) -> bool:
    """Return whether a trial failed for a reason other than its values, so that these are tried again."""
    return trial.state is TrialState.FAIL and REASON not in trial.user_attrs


def result_of(trial: FrozenTrial) -> TrialResult:
    """Return the result of a trial that has ended, without Optuna's types."""
    outcomes: Mapping[TrialState, TrialEnd] = {
        TrialState.COMPLETE: TrialEnd.DONE,
        TrialState.PRUNED: TrialEnd.PRUNED,
        TrialState.FAIL: TrialEnd.FAILED,
    }
    scores = trial.intermediate_values.values()
    score = trial.value if trial.state is TrialState.COMPLETE else max(scores, default=None)
    return TrialResult(trial.number, dict(trial.params), outcomes[trial.state], score, trial.user_attrs.get(REASON))


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
