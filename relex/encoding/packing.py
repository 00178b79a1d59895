"""Sequence packing: examples are concatenated into packs of a fixed number of tokens, without padding between them.

The number is fixed for two reasons. A CPU's matrix library prepares kernels for each shape. And if every product
has the same shape, an example gets the same bits whatever its neighbors are: batch invariance (He et al. 2025,
"Defeating Nondeterminism in LLM Inference").
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, groupby
from typing import Any

import torch
from torch import Tensor

from relex.encoding.tokens import EncodedExample

SET_SIZE = 16
"""Number of examples whose entities are pooled together; the last set of a pack is padded."""


WIDTH = 16
"""Number of float32 numbers that a vector unit (AVX-512) computes at once: attention over a multiple of it takes half
the time of attention over one token less (docs/measurements/speed.md)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Adjacent examples that share one attention call, in which each is padded to the same length."""

    start: int
    """First token in the pack."""
    lengths: tuple[int, ...]
    """Number of tokens of each example."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens of all examples."""
        return sum(self.lengths)

    @property
    def padded_length(self) -> int:
        """Number of tokens to which attention pads each example."""
        return _padded(max(self.lengths))


@dataclass(frozen=True, slots=True)
class Pack:
    """N examples in T tokens, and their positions in K sets of C for the head; the last set is padded."""

    examples: list[EncodedExample]
    segments: tuple[Segment, ...]
    input_ids: Tensor
    """Shape: [1, T], int64; padding at the end."""
    position_ids: Tensor
    """Shape: [1, T], int64; each example counts from 0."""
    token_type_ids: Tensor
    """Shape: [1, T], int64."""
    boundaries: Tensor
    """Shape: [N + 1], int32; starts of the examples, and the end of the last one."""
    starts: Tensor
    """Shape: [K, C], int64; first token of each example."""
    lengths: Tensor
    """Shape: [K, C], int64; number of tokens of each example."""
    entities: Tensor
    """Shape: [K, C, 2, 2], int64; start and end of subject and object, counted in their example."""
    markers: Tensor
    """Shape: [K, C, 2], int64; positions of the opening markers, counted in their example."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens of all examples; padding follows."""
        return sum(segment.num_tokens for segment in self.segments)

    @property
    def longest(self) -> int:
        """Number of tokens of the longest example."""
        return max(max(segment.lengths) for segment in self.segments)

    def to(self, device: torch.device) -> "Pack":
        """Return the same pack on another device; the copy to a GPU is asynchronous."""
        if device.type == "cpu":
            return self
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        tensors = {name: value for name, value in values if isinstance(value, Tensor)}
        moved: dict[str, Any] = {
            name: each.pin_memory().to(device, non_blocking=True) for name, each in tensors.items()
        }
        return replace(self, **moved)


def pack_best_fit(encoded: Sequence[EncodedExample], total: int) -> Iterator[list[EncodedExample]]:
    """Yield groups of examples that fill `total` tokens as well as possible, longest first.

    Each pack repeatedly takes the longest example that fits (best fit decreasing); packs are about 98% full. An
    example longer than `total` is alone.
    """
    remaining = sorted(encoded, key=_length)
    while remaining:
        group: list[EncodedExample] = []
        room = max(total, _length(remaining[-1]))
        while index := bisect_right(remaining, room, key=_length):
            group.append(remaining.pop(index - 1))
            room -= _length(group[-1])
        yield group


def collate_packed(group: list[EncodedExample], total: int, pad_token_id: int) -> Pack:
    """Concatenate a group of `pack_best_fit` into one pack."""
    lengths = [_length(example) for example in group]
    starts = [0, *accumulate(lengths)]
    spare = max(0, total - starts[-1])
    filled = [*zip(group, starts, strict=False)]
    filled += filled[-1:] * (-len(group) % SET_SIZE)
    return Pack(
        examples=group,
        segments=tuple(_segments(lengths)),
        input_ids=_row([token for example in group for token in example.input_ids], pad_token_id, spare),
        position_ids=_row([position for length in lengths for position in range(length)], 0, spare),
        token_type_ids=_row([token for example in group for token in example.token_type_ids], 0, spare),
        boundaries=torch.tensor(starts, dtype=torch.int32),
        starts=_in_sets([start for _, start in filled]),
        lengths=_in_sets([_length(example) for example, _ in filled]),
        entities=_in_sets([(example.subject, example.object) for example, _ in filled]),
        markers=_in_sets([(example.subject_marker, example.object_marker) for example, _ in filled]),
    )


def _length(example: EncodedExample) -> int:
    return len(example.input_ids)


def _segments(lengths: Sequence[int]) -> Iterator[Segment]:
    start = 0
    for _, alike in groupby(lengths, _padded):
        segment = Segment(start, tuple(alike))
        yield segment
        start += segment.num_tokens


def _padded(length: int) -> int:
    """Return the next multiple of `WIDTH`."""
    return -(-length // WIDTH) * WIDTH


def _in_sets(values: Sequence[Any]) -> Tensor:
    """Shape: [K, C, ...], int64."""
    tensor = torch.tensor(values)
    return tensor.reshape(-1, SET_SIZE, *tensor.shape[1:])


def _row(values: Sequence[int], filler: int, spare: int) -> Tensor:
    """Shape: [1, T], int64."""
    return torch.tensor([[*values, *[filler] * spare]])
