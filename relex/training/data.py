"""What a training learns from: examples as tokens with their labels, and batches of them as tensors.

In which order an epoch visits the training examples.

A function of the seed and the epoch alone, so that a run that was killed meets the same batches as one that was not,
and every process of a machine with several GPUs cuts the same ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from relex.encoding.batches import collate
from relex.encoding.tokens import EncodedExample
from relex.labels import RELATIONS

LENGTH_STEP = 8
"""On a CPU torch keeps compiled code for every shape that it meets. On KLUE-RE this leaves 16 lengths of 100, for 6 %
more padded tokens: a small model in bf16 went from 1.0 to 1.4 GB and stayed there, where it had reached 2.2 GB."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The training examples as tokens, and what they should be called."""

    encoded: Sequence[EncodedExample]
    gold: Sequence[str]
    pad_token_id: int
    hidden: Sequence[EncodedExample] = ()
    """The same with their entities' words hidden, where the recipe asks for that."""

    def items(self) -> list[dict[str, Any]]:
        """One dictionary an example, as the collator gets them; then `EpochOrder`'s filler; then the hidden forms."""
        examples, hidden = self._labelled(self.encoded), self._labelled(self.hidden)
        return [*examples, examples[0] | {"counts": False}, *hidden]

    def _labelled(self, encoded: Sequence[EncodedExample]) -> list[dict[str, Any]]:
        index = {label: number for number, label in enumerate(RELATIONS)}
        return [
            {"encoded": item, "gold": index[label], "counts": True}
            for item, label in zip(encoded, self.gold, strict=False)
        ]


@dataclass(frozen=True, slots=True)
class Collator:
    """Items to the tensors of one batch, its length rounded up to a multiple of `LENGTH_STEP` tokens.

    Fillers are left out. Of a batch that holds nothing else one stays, because every process has to send a batch
    through the network, and its count is 0.
    """

    pad_token_id: int
    max_length: int

    def __call__(self, items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Shape: as in Batch, `gold` [B], int64, and `count`, a float32 scalar: the examples that count."""
        counted = [item for item in items if item["counts"]]
        items = counted or items[:1]
        batch = collate([item["encoded"] for item in items], self.pad_token_id)
        length = batch.input_ids.shape[1]
        more = max(min(-length % LENGTH_STEP, self.max_length - length), 0)
        fillers = {"input_ids": self.pad_token_id}
        tensors = {
            name: pad(tensor, (0, more), value=fillers.get(name, 0)) if tensor.dim() > 1 else tensor
            for name, tensor in batch.tensors().items()
        }
        gold = torch.tensor([item["gold"] for item in items])
        return tensors | {"gold": gold, "count": torch.tensor(float(len(counted)))}


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
