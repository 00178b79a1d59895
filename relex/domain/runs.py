"""Training runs: their states and what is known of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

RunId = NewType("RunId", str)


class RunState(StrEnum):
    """queued -> running -> done or failed, back to queued when its worker dies; cancelled from either on request."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the run by itself."""
        return self in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One execution of a training configuration.

    `config` is the whole configuration as plain data, every default written out; `progress` is what the
    trainer told last (step, steps, epoch, loss, learning_rate, epochs: a list of scores an epoch).
    """

    id: RunId
    name: str
    config: Mapping[str, Any]
    folder: str
    """Where the run was queued: relative data paths start there."""
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
        """The score that chooses the epoch."""
        return str(self.config["validation"]["metric"])

    @property
    def best_epoch(self) -> Mapping[str, Any] | None:
        """The scores of the best epoch so far by that metric, the first where several are equal; None before any."""
        return max(self.progress.get("history", []), key=lambda scores: scores[self.metric], default=None)
