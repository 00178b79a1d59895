"""The folder that a training goes on from after its process was killed.

transformers writes a state (weights, optimizer, schedule, random generators) as `checkpoint-STEP`, file by file. It
counts only once it is sealed: the logbook is put into it last, by a rename. Beside it lie the best epoch's weights
and the TensorBoard logs. Only the newest state and the best weights are kept.

Where a training works, and what it says of itself to the one who asked for it.
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

LOGBOOK = "logbook.json"
"""The seal of a state: whose it is, and the logbook at that step."""


def digest_of(config: TrainingConfig, *files: Sequence[Example]) -> str:
    """Of the recipe and of every file that it reads: a state made from anything else cannot be gone on from."""
    return hashlib.sha256(repr((config.to_dict(), files)).encode()).hexdigest()


class Scratch:
    """The states of one training run. Those of another digest, left by another run, do not count."""

    def __init__(self, folder: Path, made_from: str) -> None:
        """`made_from` is the digest; the folder is made where there is none."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._made_from = made_from

    @property
    def tensorboard(self) -> Path:
        """The folder to give to `tensorboard --logdir`."""
        return self.folder / "tensorboard"

    def newest(self) -> tuple[Path, Mapping[str, Any]] | None:
        """The last sealed state of this run and its logbook, or None."""
        sealed = []
        for path in self.folder.glob(f"checkpoint-*/{LOGBOOK}"):
            content = json.loads(path.read_text("utf-8"))
            if content["made_from"] == self._made_from:
                sealed.append((path.parent, content["logbook"]))
        return max(sealed, key=lambda found: found[1]["told"]["step"], default=None)

    def seal(self, state: Path, logbook: Mapping[str, Any]) -> None:
        """Declare a state complete; all others go, and so do weights that are not the best any more."""
        content = {"made_from": self._made_from, "logbook": logbook}
        draft = state / f"{LOGBOOK}.part"
        draft.write_text(json.dumps(content), "utf-8")
        draft.rename(state / LOGBOOK)
        for other in self.folder.glob("checkpoint-*"):
            if other.name != state.name:
                shutil.rmtree(other)
        best = self.best_weights(logbook["best_epoch"])
        for weights in self.folder.glob("best-*"):
            if weights.name != best.name:
                weights.unlink()

    def forget(self) -> None:
        """Remove the states and the weights, which nobody needs any more; the TensorBoard logs stay."""
        for state in self.folder.glob("checkpoint-*"):
            shutil.rmtree(state)
        for weights in self.folder.glob("best-*"):
            weights.unlink()

    def best_weights(self, epoch: int) -> Path:
        """Where the weights of this epoch lie while it is the best.

        Named by the epoch: a state that was sealed before it still finds the weights of its own best one.
        """
        return self.folder / f"best-{epoch}.safetensors"


@dataclass(frozen=True, slots=True)
class TrainingPaths:
    """Where a training works."""

    folder: Path
    """Of the checkpoint, which comes whole at the end."""
    scratch: Path
    """For what a killed training needs to go on."""
    device: str
    """A torch device, or auto."""


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """Scores x100 of the saved weights on the validation examples, and how many epochs were trained."""

    micro_f1: float
    auprc: float
    epochs: int
