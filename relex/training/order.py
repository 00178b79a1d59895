"""In which order an epoch visits the training examples.

A function of the seed and the epoch alone, so that a run that was killed meets the same batches as one that was not,
and every process of a machine with several GPUs cuts the same ones.
"""

from collections.abc import Iterator, Sequence

import numpy as np

POOL_BATCHES = 50
"""Examples of like length are looked for among so many batches' worth: little padding, and a new mix each epoch."""


class EpochOrder:
    """Positions of examples: each `batch_size` that follow one another are of like length.

    The batches come in random order, without regard to length; a short one comes last.
    """

    def __init__(
        self, lengths: Sequence[int], batch_size: int, seed: int, *, fill: bool = False, hide: float = 0.0
    ) -> None:
        """Take the examples.

        Args:
            lengths: each example's tokens.
            batch_size: examples a batch, of all processes together.
            seed: the recipe's.
            fill: follow the short batch with the position after the last example until it is whole. Several processes
                can share it then; accelerate would fill it with examples of the epoch's first batch.
            hide: share of the examples that stand in their hidden form in an epoch, at the positions behind the filler.
        """
        self._lengths = lengths
        self._fillers = -len(lengths) % batch_size if fill else 0
        self._batch_size = batch_size
        self._seed = seed
        self._hide = hide
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths) + self._fillers

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self._seed, self._epoch])
        shuffled = generator.permutation(len(self._lengths)).tolist()
        batches: list[list[int]] = []
        for pool in _pieces(shuffled, POOL_BATCHES * self._batch_size):
            batches += _pieces(sorted(pool, key=self._lengths.__getitem__), self._batch_size)
        short = [batches.pop()] if len(batches[-1]) < self._batch_size else []
        forms = self._forms()
        for index in generator.permutation(len(batches)):
            yield from (forms[position] for position in batches[index])
        for batch in short:
            yield from (forms[position] for position in batch)
        yield from [len(self._lengths)] * self._fillers

    def _forms(self) -> list[int]:
        """Where each example stands in this epoch: at its own position, or at that of its hidden form."""
        count = len(self._lengths)
        hidden = np.random.default_rng([self._seed, self._epoch, 1]).random(count) < self._hide
        forms: list[int] = (np.arange(count) + hidden * (count + 1)).tolist()
        return forms


def _pieces(positions: list[int], size: int) -> list[list[int]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]
