"""What happens beside the steps of a training: the logbook is written, the best weights and a state are kept.

Where several processes train together, the first one's clock decides for all, and it alone writes.
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
"""What transformers puts before the names of validation scores; TensorBoard shows them apart for it."""


class CheckpointCallback(TrainerCallback):
    """Writes the logbook, keeps what a killed run needs, and stops when patience is out."""

    def __init__(self, logbook: TrainingHistory, scratch: Scratch, order: EpochOrder, save_minutes: float) -> None:
        self._logbook = logbook
        self._scratch = scratch
        self._order = order
        self._save_seconds = 60 * save_minutes
        self._saved = time.monotonic()

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Tell the order its epoch: accelerate does not reach it in a resumed epoch of several processes."""
        self._order.set_epoch(len(self._logbook.history))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for the mean loss only when it will be told or saved: reading it waits for the device.

        An epoch's last step is saved with the epoch's scores, by `on_epoch_end`: who goes on from there does not
        come back to them.
        """
        epoch_ends = state.global_step % (state.max_steps // args.num_train_epochs) == 0
        save, log = distributed.agreed([self._save_is_due, self._logbook.due])
        control.should_save = bool(save) and not epoch_ends
        control.should_log = control.should_save or bool(log)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Have the rest of the epoch's loss told, and then its scores."""
        control.should_log = control.should_evaluate = True
        control.should_save = bool(distributed.agreed([self._save_is_due])[0])

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write the steps since the last time; other logs have no learning rate."""
        logs = kwargs["logs"]
        if "learning_rate" in logs:
            self._logbook.add_steps(state.global_step, state.max_steps, logs["loss"], logs["learning_rate"])

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Close the epoch."""
        if self._logbook.add_epoch(kwargs["metrics"]) and distributed.is_first():
            weights = {name: tensor.cpu().contiguous() for name, tensor in kwargs["model"].state_dict().items()}
            save_file(weights, self._scratch.best_weights(self._logbook.best_epoch))
        control.should_training_stop |= self._logbook.out_of_patience

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Seal what transformers has just written."""
        distributed.wait_for_all()  # each process has put its random generators there
        if distributed.is_first():
            self._scratch.seal(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}", self._logbook.state())
        self._saved = time.monotonic()

    @property
    def _save_is_due(self) -> bool:
        return time.monotonic() - self._saved >= self._save_seconds
