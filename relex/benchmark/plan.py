"""The plan of a benchmark: which engines, on which network, in how many passes.

This module imports no torch, so that `relex bench` rejects a wrong name at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BASELINE = "plain"
"""The engine that all speeds are divided by."""
REFERENCE = "sorted"
"""The engine that all predictions are compared with: fp32, and no optimization but the order of the rows."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine as people see it; `relex.benchmark.engine.EngineFactory` adds the code that opens it."""

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
