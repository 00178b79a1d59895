"""The two networks from encoded examples to probabilities: packed, or padded to the longest example.

Packing is used for encoders that support it (:func:`relex.model.packed.network.can_pack`), padding for all others.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from relex.encoding.batches import batch_by_token_budget, collate
from relex.encoding.packing import collate_packed, pack_best_fit
from relex.encoding.tokens import EncodedExample
from relex.model.checkpoint import LoadedCheckpoint
from relex.model.packed.network import PackedClassifier, can_pack

PACKED_TOKENS = {"cpu": 512, "cuda": 16_384}
"""Tokens in a pack: on a CPU what fits into a core's cache, on a GPU what keeps it busy."""
PADDED_TOKENS = 2048
"""Padded tokens in a batch; more are not faster on a CPU."""


class Network(Protocol):
    """A model on its device."""

    max_tokens: int
    """Maximum number of tokens in a batch; halved when memory runs out."""
    dtype: torch.dtype
    """Type of the encoder's computation."""

    def batches(self, encoded: Sequence[EncodedExample]) -> Iterator[list[EncodedExample]]:
        """Yield the batches of examples."""

    def __call__(self, batch: list[EncodedExample]) -> Tensor:
        """Compute the probabilities of a batch on the device. Shape: [N, labels], float32."""


def network_of(checkpoint: LoadedCheckpoint, device: torch.device, dtype: torch.dtype) -> Network:
    """Create the network of a checkpoint, which it takes over; `dtype` applies to packed encoders."""
    packs = can_pack(checkpoint.model) and device.type in PACKED_TOKENS
    return _Packed(checkpoint, device, dtype) if packs else _Padded(checkpoint, device)


class _Packed:
    def __init__(self, checkpoint: LoadedCheckpoint, device: torch.device, dtype: torch.dtype) -> None:
        self.max_tokens = max(PACKED_TOKENS[device.type], checkpoint.model.relation.max_length)
        self.dtype = dtype
        self._classifier = PackedClassifier(checkpoint.model, dtype, self.max_tokens)
        self._pad_token_id = checkpoint.pad_token_id
        self._device = device

    def batches(self, encoded: Sequence[EncodedExample]) -> Iterator[list[EncodedExample]]:
        return pack_best_fit(encoded, self.max_tokens)

    def __call__(self, batch: list[EncodedExample]) -> Tensor:
        return self._classifier(collate_packed(batch, self.max_tokens, self._pad_token_id).to(self._device))


class _Padded:
    dtype = torch.float32

    def __init__(self, checkpoint: LoadedCheckpoint, device: torch.device) -> None:
        self.max_tokens = PADDED_TOKENS
        self._checkpoint = checkpoint
        self._device = device

    def batches(self, encoded: Sequence[EncodedExample]) -> Iterator[list[EncodedExample]]:
        return batch_by_token_budget(encoded, self.max_tokens)

    @torch.inference_mode()
    def __call__(self, batch: list[EncodedExample]) -> Tensor:
        tensors = collate(batch, self._checkpoint.pad_token_id).to(self._device).tensors()
        logits: Tensor = self._checkpoint.model(**tensors).logits
        return logits.float().softmax(-1)
