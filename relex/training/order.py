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

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """`lengths` counts each example's tokens."""
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0; accelerate calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self._seed, self._epoch])
        shuffled = generator.permutation(len(self._lengths)).tolist()
        batches: list[list[int]] = []
        for pool in _pieces(shuffled, POOL_BATCHES * self._batch_size):
            batches += _pieces(sorted(pool, key=self._lengths.__getitem__), self._batch_size)
        short = [batches.pop()] if len(batches[-1]) < self._batch_size else []
        for index in generator.permutation(len(batches)):
            yield from batches[index]
        for batch in short:
            yield from batch


def _pieces(positions: list[int], size: int) -> list[list[int]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]
