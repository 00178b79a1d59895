"""The trainer callback that reports progress and saves the best weights and checkpoints for resuming.

With several processes, the first one's clock decides for all of them, and only the first one writes.
"""

import time
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from relex.training import distributed
from relex.training.data import EpochOrder
from relex.training.history import TrainingHistory
from relex.training.workspace import Scratch

PREFIX = "eval_"
"""Prefix that transformers gives to validation scores; TensorBoard groups them by it."""


class CheckpointCallback(TrainerCallback):
    """A callback that records the history, saves what a killed run needs, and stops early."""

    def __init__(self, history: TrainingHistory, scratch: Scratch, order: EpochOrder, save_minutes: float) -> None:
        self._history = history
        self._scratch = scratch
        self._order = order
        self._save_seconds = 60 * save_minutes
        self._saved = time.monotonic()

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Set the epoch of the sampler.

        accelerate does not reach the sampler in a resumed epoch with several processes.
        """
        self._order.set_epoch(len(self._history.epochs))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Request the mean loss only when it is reported or saved: reading it waits for the device.

        `on_epoch_end` saves the last step of an epoch together with the epoch's scores, because a run that resumes
        there does not compute them again.
        """
        epoch_ends = state.global_step % (state.max_steps // args.num_train_epochs) == 0
        save, log = distributed.broadcast([self._save_is_due, self._history.due])
        control.should_save = bool(save) and not epoch_ends
        control.should_log = control.should_save or bool(log)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log the rest of the epoch's loss, then evaluate."""
        control.should_log = control.should_evaluate = True
        control.should_save = bool(distributed.broadcast([self._save_is_due])[0])

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Record the steps since the last call; other logs have no learning rate."""
        logs = kwargs["logs"]
        if "learning_rate" in logs:
            self._history.add_steps(state.global_step, state.max_steps, logs["loss"], logs["learning_rate"])

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Record the epoch, save its weights if it is the best, and stop when patience is exhausted."""
        if self._history.add_epoch(kwargs["metrics"]) and distributed.is_first():
            weights = {name: tensor.cpu().contiguous() for name, tensor in kwargs["model"].state_dict().items()}
            save_file(weights, self._scratch.best_weights(self._history.best_epoch))
        control.should_training_stop |= self._history.out_of_patience

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Seal the checkpoint that transformers has just written."""
        distributed.wait_for_all()  # each process has written its random state there
        if distributed.is_first():
            self._scratch.seal(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}", self._history.state())
        self._saved = time.monotonic()

    @property
    def _save_is_due(self) -> bool:
        return time.monotonic() - self._saved >= self._save_seconds
