"""The scratch folder that a killed training resumes from, and the paths and the outcome of a training.

transformers writes a state (weights, optimizer, schedule, random generators) as `checkpoint-STEP`, file by file. The
state is valid once it is sealed: the training history is moved into it last, by a rename. The folder also holds the
best epoch's weights and the TensorBoard logs. Only the newest state and the best weights are kept.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relex.domain.examples import Example
from relex.training.recipe.config import TrainingConfig

SEAL = "logbook.json"
"""The seal of a state: the digest of its run, and the training history at that step."""
LAST_REPORT_KEY = "last_report"
"""Key of the last progress report in the history of a state."""


def digest_of(config: TrainingConfig, *files: Sequence[Example]) -> str:
    """Compute the digest of a recipe and its files: a checkpoint of a different run cannot be resumed."""
    return hashlib.sha256(repr((config.to_dict(), files)).encode()).hexdigest()


class Scratch:
    """The states of one training run; those of another run, with another digest, are ignored."""

    def __init__(self, folder: Path, made_from: str) -> None:
        """Open the folder, and create it if needed; `made_from` is the digest of the run."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._made_from = made_from

    @property
    def tensorboard(self) -> Path:
        """The folder for `tensorboard --logdir`."""
        return self.folder / "tensorboard"

    def newest(self) -> tuple[Path, Mapping[str, Any]] | None:
        """Return the last sealed state of this run and its history, or None."""
        sealed = []
        for path in self.folder.glob(f"checkpoint-*/{SEAL}"):
            content = json.loads(path.read_text("utf-8"))
            if content["made_from"] == self._made_from:
                sealed.append((path.parent, content["logbook"]))
        return max(sealed, key=lambda entry: entry[1][LAST_REPORT_KEY]["step"], default=None)

    def seal(self, state: Path, history: Mapping[str, Any]) -> None:
        """Mark a state as complete; remove all others and the weights that are no longer the best."""
        content = {"made_from": self._made_from, "logbook": history}
        staging = state / f"{SEAL}.part"
        staging.write_text(json.dumps(content), "utf-8")
        staging.rename(state / SEAL)
        for other in self.folder.glob("checkpoint-*"):
            if other.name != state.name:
                shutil.rmtree(other)
        best = self.best_weights(history["best_epoch"])
        for weights in self.folder.glob("best-*"):
            if weights.name != best.name:
                weights.unlink()

    def forget(self) -> None:
        """Remove the states and the weights; the TensorBoard logs stay."""
        for state in self.folder.glob("checkpoint-*"):
            shutil.rmtree(state)
        for weights in self.folder.glob("best-*"):
            weights.unlink()

    def best_weights(self, epoch: int) -> Path:
        """Return the path of this epoch's weights while it is the best epoch.

        The name contains the epoch, so that a state sealed earlier still finds the weights of its own best epoch.
        """
        return self.folder / f"best-{epoch}.safetensors"


@dataclass(frozen=True, slots=True)
class TrainingPaths:
    """The paths and the device of a training."""

    folder: Path
    """Folder of the checkpoint, which is written at the end, whole."""
    scratch: Path
    """Folder for what a killed training needs to resume."""
    device: str
    """A torch device, or auto."""


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """The validation scores (x100) of the saved weights, and the number of trained epochs."""

    micro_f1: float
    auprc: float
    epochs: int
