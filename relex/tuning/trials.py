"""One trial of a study: begun by this process, or ended by any."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import optuna
from optuna.trial import FrozenTrial, TrialState

from relex.db.connection import Database
from relex.errors import LeaseLost
from relex.tuning.errors import TAKEN_OVER, translate_error
from relex.tuning.space import Changes

REASON = "reason"
"""The mark on a trial that failed by its values. One without it was given back or lost with its process."""


class TrialEnd(StrEnum):
    """How a trial ended."""

    DONE = "done"
    PRUNED = "pruned"
    FAILED = "failed"


class Pruned(Exception):
    """A trial lies below the median of the others at the same epoch: it is not worth its time."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """An ended trial."""

    number: int
    changes: Changes
    end: TrialEnd
    score: float | None
    """x100; of a pruned one the best until then."""
    reason: str | None
    """Why it failed."""


class Trial:
    """A trial that this process has begun."""

    def __init__(self, database: Database, study: optuna.Study, asked: optuna.Trial, changes: Changes) -> None:
        self._database = database
        self._study = study
        self._asked = asked
        self.number = asked.number
        self.changes = changes

    def report(self, epoch: int, score: float) -> None:
        """Tell an epoch's score; epochs count from 1.

        Raises:
            Pruned: the training should end here.
            LeaseLost: the connection broke and another process has taken the trial over.
            DatabaseUnreachable: Postgres does not answer.
        """
        with translate_error(self._database):
            self._asked.report(score, epoch)
            if self._asked.should_prune():
                raise Pruned

    def finish(self, score: float) -> None:
        """End it with its score. It may be called again after a fault, as may `prune` and `fail`."""
        self._end(TrialState.COMPLETE, score)

    def prune(self) -> None:
        """End it before its time."""
        self._end(TrialState.PRUNED)

    def fail(self, reason: str) -> None:
        """End it without a score."""
        with translate_error(self._database):
            self._asked.set_user_attr(REASON, reason)
        self._end(TrialState.FAIL)

    def give_back(self) -> None:
        """Let another process, or the next one here, try these values."""
        self._end(TrialState.FAIL)

    def _end(self, state: TrialState, score: float | None = None) -> None:
        with translate_error(self._database):
            ended = self._study.tell(self._asked, score, state, skip_if_finished=True)
        if ended.state is not state:
            raise LeaseLost(TAKEN_OVER)


def is_lost(trial: FrozenTrial) -> bool:
    """Whether it ended by no fault of its values, so that they are to be tried again."""
    return trial.state is TrialState.FAIL and REASON not in trial.user_attrs


def result_of(trial: FrozenTrial) -> TrialResult:
    """An ended trial as the rest of relex sees it."""
    ends: Mapping[TrialState, TrialEnd] = {
        TrialState.COMPLETE: TrialEnd.DONE,
        TrialState.PRUNED: TrialEnd.PRUNED,
        TrialState.FAIL: TrialEnd.FAILED,
    }
    scores = trial.intermediate_values.values()
    score = trial.value if trial.state is TrialState.COMPLETE else max(scores, default=None)
    return TrialResult(trial.number, dict(trial.params), ends[trial.state], score, trial.user_attrs.get(REASON))
