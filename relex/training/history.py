"""What a training tells while it runs, and what it decides from its scores: plain numbers, no torch."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from relex.errors import RelexError
from relex.training.recipe.config import TrainingConfig

Report = Callable[[Mapping[str, Any]], None]

REPORT_SECONDS = 1.0
"""At most about one report in this time: each is a write to Postgres."""


class TrainingHistory:
    """The epochs so far, and the one who is told about them."""

    def __init__(self, config: TrainingConfig, report: Report) -> None:
        self.history: list[dict[str, float]] = []
        """One entry for each finished epoch: epoch, loss (its mean), and the scores of `Validation`."""
        self.best_epoch = 0
        self._settings = config.train
        self._metric = config.validation.metric
        self._report = report
        self._started = self._reported = time.monotonic()
        self._told: dict[str, Any] = {"step": 0, "loss": None, "learning_rate": None}
        self._loss_sum = 0.0
        self._epoch_start = 0

    @property
    def seconds(self) -> float:
        """Spent in training, without the time between a kill and its resumption."""
        return time.monotonic() - self._started

    @property
    def step(self) -> int:
        """The last step that it knows of."""
        return int(self._told["step"])

    @property
    def due(self) -> bool:
        """Whether it is time for another report."""
        return time.monotonic() - self._reported >= REPORT_SECONDS

    @property
    def out_of_patience(self) -> bool:
        """Whether the last epochs, as many as the recipe bears, brought nothing better."""
        patience = self._settings.patience
        return patience is not None and len(self.history) - self.best_epoch >= patience

    @property
    def finished(self) -> bool:
        """Whether there is no epoch left to train."""
        return len(self.history) == self._settings.epochs or self.out_of_patience

    def state(self) -> dict[str, Any]:
        """All that it knows as plain data, for `restore` in another process."""
        return {
            "history": [dict(entry) for entry in self.history],
            "best_epoch": self.best_epoch,
            "told": dict(self._told),
            "loss_sum": self._loss_sum,
            "epoch_start": self._epoch_start,
            "seconds": self.seconds,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.history = [dict(entry) for entry in state["history"]]
        self.best_epoch = state["best_epoch"]
        self._told = dict(state["told"])
        self._loss_sum = state["loss_sum"]
        self._epoch_start = state["epoch_start"]
        self._started = time.monotonic() - state["seconds"]

    def add_download(self, fetched: int, total: int) -> None:
        """Report that so many bytes of the backbone are fetched, until the first step is."""
        if self.due:
            self._told["download"] = {"fetched": fetched, "total": total}
            self._tell()

    def add_steps(self, step: int, steps: int, loss: float, learning_rate: float) -> None:
        """Training has reached `step` of `steps`; `loss` is the mean of the steps since the last call.

        Raises:
            RelexError: the loss is no number any more.
        """
        if not math.isfinite(loss):
            raise RelexError(
                f"the loss is {loss} at step {step:,} of {steps:,}: "
                "train again with a lower train.learning_rate or train.precision fp32"
            )
        self._loss_sum += loss * (step - self._told["step"])
        self._told = {"step": step, "steps": steps, "loss": loss, "learning_rate": learning_rate}
        self._tell()

    def add_epoch(self, scores: Mapping[str, float]) -> bool:
        """An epoch has ended with these scores, x100; whether it is the best so far."""
        step = self._told["step"]
        loss = self._loss_sum / (step - self._epoch_start)
        self._loss_sum, self._epoch_start = 0.0, step
        best = all(scores[self._metric] > earlier[self._metric] for earlier in self.history)
        self.history.append({"epoch": len(self.history) + 1, "loss": loss, **scores})
        if best:
            self.best_epoch = len(self.history)
        self._tell()
        return best

    def _tell(self) -> None:
        self._reported = time.monotonic()
        self._report(
            {
                **self._told,
                "epoch": min(len(self.history) + 1, self._settings.epochs),
                "epochs": self._settings.epochs,
                "seconds": self.seconds,
                "history": [dict(entry) for entry in self.history],
            }
        )
