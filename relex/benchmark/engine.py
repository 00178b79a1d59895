"""What a contestant must do, and what it is given: the port between the contest and the ways to score."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from relex.domain.examples import Example, Prediction
from relex.errors import RelexError


class EngineUnavailable(RelexError):
    """A contestant cannot take part here; the message says why, and how it could."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What every contestant is opened with."""

    checkpoint: Path
    device: str
    """A torch device."""
    examples: Sequence[Example]
    """Those that it will score: to choose its settings by, not to remember answers."""
    random: bool = True
    """Whether the checkpoint holds random weights, made for this contest."""


class Engine(Protocol):
    """A loaded checkpoint that turns examples into predictions, in its own way."""

    precision: str
    """In which its matrices are multiplied: fp32, bf16, fp16 or int8."""
    note: str
    """What it chose for this run, or nothing."""

    def score(self, examples: Sequence[Example]) -> Iterable[list[Prediction]]:
        """All predictions, in any order, as plain Python values."""


class OpenEngine(Protocol):
    """A way to open an engine."""

    def __call__(self, settings: EngineSettings, /) -> Engine:
        """Open the engine, or raise EngineUnavailable."""
