"""The interface of a scoring engine, and what an engine is opened with."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from relex.benchmark.plan import EngineInfo
from relex.domain.examples import Example, Prediction
from relex.errors import RelexError


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
