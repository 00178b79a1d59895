"""Sequences without padding, cut from the long rows of ids in their order; where that goes on is all there is to keep.

The corpus is shuffled by lines already. Its last part is held out and never trained on.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from pretraining.encoding import Ids

HELD_OUT = 65_536
"""Tokens at the corpus' end that only judge; of a small corpus a tenth."""


@dataclass(slots=True)
class Cursors:
    """How many tokens have been taken of each text; beyond its end a text begins again."""

    corpus: int = 0
    task: int = 0

    def to_dict(self) -> dict[str, int]:
        """As plain data."""
        return asdict(self)


class Rows:
    """Where batches come from."""

    def __init__(self, corpus: Ids, task: Ids, start: int) -> None:
        """Take the ids; `start` is the id of [CLS], with which every sequence begins."""
        held_out = min(HELD_OUT, len(corpus) // 10)
        self._corpus, self._held_out = corpus[:-held_out], corpus[-held_out:]
        self._task = task
        self._start = start
        self.cursors = Cursors()

    def take(self, sequences: int, length: int, of_task: int) -> Tensor:
        """The next sequences, `of_task` of them from the task's sentences. Shape: [sequences, length], int64."""
        from_corpus = (sequences - of_task) * (length - 1)
        from_task = of_task * (length - 1)
        parts = [
            _around(self._corpus, self.cursors.corpus, from_corpus),
            _around(self._task, self.cursors.task, from_task),
        ]
        self.cursors = Cursors(self.cursors.corpus + from_corpus, self.cursors.task + from_task)
        return self._as_sequences(np.concatenate(parts), length)

    def held_out(self, length: int) -> Tensor:
        """All sequences that only judge. Shape: [sequences, length], int64."""
        usable = len(self._held_out) // (length - 1) * (length - 1)
        return self._as_sequences(self._held_out[:usable], length)

    def _as_sequences(self, ids: Ids, length: int) -> Tensor:
        body = torch.from_numpy(ids.astype(np.int64)).view(-1, length - 1)
        return torch.cat((torch.full((len(body), 1), self._start), body), dim=1)


def _around(ids: Ids, start: int, count: int) -> Ids:
    """`count` ids from `start` on, beginning again behind the end."""
    return ids[np.arange(start, start + count) % len(ids)]
