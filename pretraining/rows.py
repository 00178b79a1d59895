"""Sequences without padding, cut consecutively from the arrays of ids; the cursors are the only state.

The lines of the corpus are already shuffled. Its last part is held out and never trained on.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from pretraining.encoding import Ids

HELD_OUT = 65_536
"""Number of held-out tokens at the end of the corpus; a tenth of a small corpus."""


@dataclass(slots=True)
class Cursors:
    """The number of tokens taken from each text; after its end a text starts again."""

    corpus: int = 0
    task: int = 0

    def to_dict(self) -> dict[str, int]:
        """Return plain data."""
        return asdict(self)


class Rows:
    """The source of batches."""

    def __init__(self, corpus: Ids, task: Ids, start: int) -> None:
        """Prepare the ids; `start` is the id of [CLS], the first token of every sequence."""
        held_out = min(HELD_OUT, len(corpus) // 10)
        self._corpus, self._held_out = corpus[:-held_out], corpus[-held_out:]
        self._task = task
        self._start = start
        self.cursors = Cursors()

    def take(self, sequences: int, length: int, of_task: int) -> Tensor:
        """Take the next sequences, `of_task` of them from the task. Shape: [sequences, length], int64."""
        from_corpus = (sequences - of_task) * (length - 1)
        from_task = of_task * (length - 1)
        parts = [
            _take_cyclic(self._corpus, self.cursors.corpus, from_corpus),
            _take_cyclic(self._task, self.cursors.task, from_task),
        ]
        self.cursors = Cursors(self.cursors.corpus + from_corpus, self.cursors.task + from_task)
        return self._as_sequences(np.concatenate(parts), length)

    def held_out(self, length: int) -> Tensor:
        """Return all held-out sequences. Shape: [sequences, length], int64."""
        usable = len(self._held_out) // (length - 1) * (length - 1)
        return self._as_sequences(self._held_out[:usable], length)

    def _as_sequences(self, ids: Ids, length: int) -> Tensor:
        body = torch.from_numpy(ids.astype(np.int64)).view(-1, length - 1)
        return torch.cat((torch.full((len(body), 1), self._start), body), dim=1)


def _take_cyclic(ids: Ids, start: int, count: int) -> Ids:
    """Take `count` ids from `start` on, and start again after the end."""
    return ids[np.arange(start, start + count) % len(ids)]
