"""Training runs and their states."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

RunId = NewType("RunId", str)


class RunState(StrEnum):
    """The state of a training run.

    queued -> running -> done or failed; back to queued when its worker dies.
    Queued and running runs become cancelled on request.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the run has reached a final state."""
        return self in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One execution of a training configuration.

    `config` is the whole configuration as plain data, every default written out; `progress` is the
    trainer's last report (step, steps, epoch, loss, learning_rate, epochs: a list of scores an epoch).
    """

    id: RunId
    name: str
    config: Mapping[str, Any]
    folder: str
    """Folder in which the run was queued; relative data paths start there."""
    state: RunState
    progress: Mapping[str, Any]
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    model: str | None = None
    token: int = 0
    """Fencing token of the claim, as for shards."""

    @property
    def metric(self) -> str:
        """The metric that selects the best epoch."""
        return str(self.config["validation"]["metric"])

    @property
    def best_epoch(self) -> Mapping[str, Any] | None:
        """The scores of the best epoch so far by `metric`, the first one of equals; None before the first epoch."""
        return max(self.progress.get("history", []), key=lambda scores: scores[self.metric], default=None)
