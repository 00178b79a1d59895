"""The progress reports of a training and its early stopping: plain numbers, no torch."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from relex.errors import RelexError
from relex.training.recipe.config import TrainingConfig
from relex.training.workspace import LAST_REPORT_KEY

Report = Callable[[Mapping[str, Any]], None]

REPORT_SECONDS = 1.0
"""Minimum time between two reports of steps: each report is a write to Postgres."""


class TrainingHistory:
    """The history of a training: its epochs and its last progress report."""

    def __init__(self, config: TrainingConfig, report: Report) -> None:
        self.epochs: list[dict[str, float]] = []
        """One entry for each finished epoch: epoch, mean loss, and the scores of `Validation`."""
        self.best_epoch = 0
        self._settings = config.train
        self._metric = config.validation.metric
        self._report = report
        self._started = self._reported = time.monotonic()
        self._last_report: dict[str, Any] = {"step": 0, "loss": None, "learning_rate": None}
        self._loss_sum = 0.0
        self._epoch_start = 0

    @property
    def seconds(self) -> float:
        """Training time, without the time between a kill and the resumption."""
        return time.monotonic() - self._started

    @property
    def step(self) -> int:
        """The last step that was reported."""
        return int(self._last_report["step"])

    @property
    def due(self) -> bool:
        """Whether it is time for another report."""
        return time.monotonic() - self._reported >= REPORT_SECONDS

    @property
    def out_of_patience(self) -> bool:
        """Whether the last epochs, as many as `train.patience`, brought no better score."""
        patience = self._settings.patience
        return patience is not None and len(self.epochs) - self.best_epoch >= patience

    @property
    def finished(self) -> bool:
        """Whether there is no epoch left to train."""
        return len(self.epochs) == self._settings.epochs or self.out_of_patience

    def state(self) -> dict[str, Any]:
        """Return everything as plain data, for `restore` in another process."""
        return {
            "history": [dict(entry) for entry in self.epochs],
            "best_epoch": self.best_epoch,
            LAST_REPORT_KEY: dict(self._last_report),
            "loss_sum": self._loss_sum,
            "epoch_start": self._epoch_start,
            "seconds": self.seconds,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.epochs = [dict(entry) for entry in state["history"]]
        self.best_epoch = state["best_epoch"]
        self._last_report = dict(state[LAST_REPORT_KEY])
        self._loss_sum = state["loss_sum"]
        self._epoch_start = state["epoch_start"]
        self._started = time.monotonic() - state["seconds"]

    def add_download(self, fetched: int, total: int) -> None:
        """Report the bytes of the backbone that are downloaded; used until the first step."""
        if self.due:
            self._last_report["download"] = {"fetched": fetched, "total": total}
            self._send()

    def add_steps(self, step: int, steps: int, loss: float, learning_rate: float) -> None:
        """Record that training has reached `step` of `steps`, and report it.

        `loss` is the mean of the steps since the last call.

        Raises:
            RelexError: the loss is not finite.
        """
        if not math.isfinite(loss):
            raise RelexError(
                f"the loss is {loss} at step {step:,} of {steps:,}: "
                "train again with a lower train.learning_rate or train.precision fp32"
            )
        self._loss_sum += loss * (step - self._last_report["step"])
        self._last_report = {"step": step, "steps": steps, "loss": loss, "learning_rate": learning_rate}
        self._send()

    def add_epoch(self, scores: Mapping[str, float]) -> bool:
        """Record a finished epoch with its scores (x100), and return whether it is the best so far."""
        step = self._last_report["step"]
        loss = self._loss_sum / (step - self._epoch_start)
        self._loss_sum, self._epoch_start = 0.0, step
        best = all(scores[self._metric] > earlier[self._metric] for earlier in self.epochs)
        self.epochs.append({"epoch": len(self.epochs) + 1, "loss": loss, **scores})
        if best:
            self.best_epoch = len(self.epochs)
        self._send()
        return best

    def _send(self) -> None:
        self._reported = time.monotonic()
        self._report(
            {
                **self._last_report,
                "epoch": min(len(self.epochs) + 1, self._settings.epochs),
                "epochs": self._settings.epochs,
                "seconds": self.seconds,
                "history": [dict(entry) for entry in self.epochs],
            }
        )
