"""relex's own scorer as a contestant: the one place of the contest that knows how it is opened."""

from collections.abc import Iterator, Sequence

from relex.benching.contestant import Setting
from relex.examples import Example, Prediction
from relex.scoring.scorer import Scorer


class Ours:
    """What a worker would hold."""

    note = ""

    def __init__(self, scorer: Scorer, precision: str) -> None:
        self.precision = precision
        self._scorer = scorer

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """One batch after another, as for a shard."""
        return self._scorer.score(examples)


def exact(setting: Setting) -> Ours:
    """In fp32, whatever the checkpoint's parity gate allows."""
    return Ours(Scorer(setting.checkpoint, setting.device), "fp32")


def default(setting: Setting) -> Ours:
    """As a worker opens it: the scorer has one way yet, so this is the same as `exact`."""
    return Ours(Scorer(setting.checkpoint, setting.device), "fp32")
