"""relex's own scorer as a contestant: the one place of the contest that knows how it is opened."""

from collections.abc import Iterator, Sequence

import torch

from relex.benching.ceiling import TYPES
from relex.benching.contestant import Setting
from relex.examples import Example, Prediction, all_predicted
from relex.model.precision import half_precision
from relex.scoring.scorer import Scorer


class Ours:
    """What a worker would hold."""

    note = ""

    def __init__(self, scorer: Scorer) -> None:
        self.precision = next(name for name, dtype in TYPES.items() if dtype is scorer.dtype)
        self._scorer = scorer

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """One batch after another, as for a shard."""
        for batch in self._scorer.score(examples):
            yield all_predicted(batch, examples)


def exact(setting: Setting) -> Ours:
    """In float32, whatever the checkpoint's gate allows."""
    return Ours(Scorer(setting.checkpoint, setting.device, torch.float32))


def default(setting: Setting) -> Ours:
    """As a worker opens it; random weights, which no gate has judged, as if they had passed."""
    forced = half_precision(torch.device(setting.device)) if setting.random else None
    return Ours(Scorer(setting.checkpoint, setting.device, forced))
