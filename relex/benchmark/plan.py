"""The plan of a benchmark: which engines, on which network, in how many passes.

This module imports no torch, so that `relex bench` rejects a wrong name at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from relex.domain.examples import Example, Prediction
from relex.errors import RelexError

BASELINE = "plain"
"""The engine that all speeds are divided by."""
REFERENCE = "sorted"
"""The engine that all predictions are compared with: fp32, and no optimization but the order of the rows."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine as people see it; `relex.benchmark.plan.EngineFactory` adds the code that opens it."""

    about: str
    """How the engine scores, in a few words."""
    every: int = 1
    """The engine scores one row in this many, of the same mix of lengths, so that nobody waits for a slow engine."""


ENGINES: Mapping[str, EngineInfo] = {
    "plain": EngineInfo("the public way: one row a tokenizer call, padded to the window, 32 a batch", 4),
    "pipeline": EngineInfo("transformers' own Pipeline: file order, batch_size 32, padded to the longest", 2),
    "sorted": EngineInfo("by length, batches of 2,048 padded tokens"),
    "exact": EngineInfo("relex with --exact"),
    "relex": EngineInfo("relex as it scores by default"),
}
"""The engines of the package, in the order in which they take turns."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a RoBERTa; its feed-forward layers are four times as wide as the other layers."""

    hidden_size: int
    layers: int
    heads: int


SHAPES: Mapping[str, Shape] = {
    "base": Shape(768, 12, 12),
    "large": Shape(1024, 24, 16),
    "tiny": Shape(32, 2, 2),
}
"""The sizes of klue/roberta-base and -large; `tiny` shows in seconds that everything works, and nothing about speed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings of one benchmark."""

    engines: tuple[str, ...] = tuple(ENGINES)
    """Names of the engines; an engine that cannot run on this machine is left out and reported."""
    passes: int = 3
    """Number of passes; the first is cold, and the best of the others is the warm one."""
    shape: str = "base"
    """Size of the random weights, a key of SHAPES."""
    tokenizer: Path | None = None
    """Folder with a tokenizer.json for the random weights; None trains a vocabulary on the rows."""
    checkpoint: Path | None = None
    """Checkpoint to score with, instead of random weights."""
    device: str = "auto"
    """Device as in RELEX_DEVICE."""


class EngineUnavailable(RelexError):
    """An engine that cannot run here; the message says why, and what would help."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What every engine is opened with."""

    checkpoint: Path
    device: str
    """Name of a torch device."""
    examples: Sequence[Example]
    """Examples that the engine will score: it may choose its settings by them, but must not remember predictions."""
    random: bool = True
    """Whether the checkpoint holds random weights, made for this benchmark."""


class Engine(Protocol):
    """A loaded checkpoint that turns examples into predictions in its own way."""

    precision: str
    """Precision of the matrix products: fp32, bf16, fp16 or int8."""
    note: str
    """Settings that the engine chose for this run; empty if it chose none."""

    def score(self, examples: Sequence[Example]) -> Iterable[list[Prediction]]:
        """Yield all predictions, in any order, as plain Python values."""


@dataclass(frozen=True, slots=True)
class EngineFactory:
    """An engine that can be named in a plan, and the function that opens it."""

    info: EngineInfo
    open: Callable[[EngineSettings], Engine]
    """Function that loads the checkpoint; it raises EngineUnavailable where the engine cannot run."""
