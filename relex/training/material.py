"""What a training learns from: examples as tokens with their labels, and batches of them as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
class Material:
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
