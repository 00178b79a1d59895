"""Where a training works, and what it says of itself to the one who asked for it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Workplace:
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
