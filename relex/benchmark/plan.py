"""What a contest is: who takes part, on which network, how many passes.

Pure, so that `relex bench` refuses a wrong name at once: `relex.lazy` imports torch and the engines later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BASELINE = "plain"
"""All speeds are told as multiples of this contestant's."""
REFERENCE = "sorted"
"""All predictions are compared with this contestant's: fp32, and no shortcut but the order of the rows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A contestant that can be asked for."""

    about: str
    every: int = 1
    """It scores one row of so many, of the same mix of lengths: a slow one would make everybody wait."""


ENGINES: Mapping[str, Entry] = {
    "plain": Entry(
        "the public way: one row a tokenizer call, padded to the window, 32 a batch",
        4,
    ),
    "pipeline": Entry(
        "transformers' own Pipeline: file order, batch_size 32, padded to the longest",
        2,
    ),
    "sorted": Entry("by length, batches of 2,048 padded tokens"),
    "exact": Entry("relex with --exact"),
    "relex": Entry("relex as it scores by default"),
    "openvino-bf16": Entry("OpenVINO, by length, asynchronous"),
    "openvino-int8": Entry("the same, quantized by NNCF"),
}
"""In the order in which they take turns."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a RoBERTa; its feed-forward layers are four times as wide as the rest."""

    hidden_size: int
    layers: int
    heads: int


SHAPES: Mapping[str, Shape] = {
    "base": Shape(768, 12, 12),
    "large": Shape(1024, 24, 16),
    "tiny": Shape(32, 2, 2),
}
"""As in klue/roberta-base and -large; `tiny` shows in seconds that everything works, and nothing about speed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One contest."""

    contestants: tuple[str, ...] = tuple(ENGINES)
    """Names out of CONTESTANTS; whoever cannot take part on this machine is left out and named."""
    passes: int = 3
    """The first, and those whose best is the warm one."""
    shape: str = "base"
    """A name out of SHAPES: random weights."""
    tokenizer: Path | None = None
    """Folder with a tokenizer.json for the random weights; None trains a vocabulary on the rows."""
    checkpoint: Path | None = None
    """A checkpoint to score with, in place of random weights."""
    device: str = "auto"
    """RELEX_DEVICE."""
