"""Examples laid end to end in packs of one fixed number of tokens: nothing is computed for padding.

Fixed for two reasons. Each new number of tokens makes a CPU's matrix library prepare anew. And where every product has
one shape, an example gets the same bits whatever its neighbours are: batch invariance (He et al. 2025, "Defeating
Nondeterminism in LLM Inference").
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
"""Examples whose entities are pooled together; the last set of a pack is filled up."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Neighbours of equal length, which attend in one call: `count` examples of `length` tokens, from token `start`."""

    start: int
    count: int
    length: int


@dataclass(frozen=True, slots=True)
class Pack:
    """N examples in T tokens, and the same in K sets of C for the head, the last one filled up with anything."""

    examples: list[EncodedExample]
    stretches: tuple[Segment, ...]
    input_ids: Tensor
    """Shape: [1, T], int64; padding at the end."""
    position_ids: Tensor
    """Shape: [1, T], int64; counts from 0 in each example."""
    token_type_ids: Tensor
    """Shape: [1, T], int64."""
    boundaries: Tensor
    """Where examples begin, and where the last one ends. Shape: [N + 1], int32"""
    starts: Tensor
    """The first token of each example. Shape: [K, C], int64"""
    lengths: Tensor
    """Shape: [K, C], int64."""
    entities: Tensor
    """First token of subject and object, and the one after their last, counted in their example.
    Shape: [K, C, 2, 2], int64"""
    markers: Tensor
    """Where the opening markers stand, counted in their example. Shape: [K, C, 2], int64"""

    @property
    def end(self) -> int:
        """Where the last example ends; padding follows."""
        return sum(stretch.count * stretch.length for stretch in self.stretches)

    @property
    def longest(self) -> int:
        """Tokens of the longest example."""
        return max(stretch.length for stretch in self.stretches)

    def to(self, device: torch.device) -> "Pack":
        """The same pack on another device; a GPU copies while it computes."""
        if device.type == "cpu":
            return self
        values = ((each.name, getattr(self, each.name)) for each in fields(self))
        tensors = {name: value for name, value in values if isinstance(value, Tensor)}
        moved: dict[str, Any] = {
            name: each.pin_memory().to(device, non_blocking=True) for name, each in tensors.items()
        }
        return replace(self, **moved)


def pack_best_fit(encoded: Sequence[EncodedExample], total: int) -> Iterator[list[EncodedExample]]:
    """Groups of examples that fill `total` tokens as well as may be, longest first.

    Each pack takes the longest example that still has room, again and again: packs come out 98 % full. An example
    longer than `total` is alone.
    """
    waiting = sorted(encoded, key=_length)
    while waiting:
        group: list[EncodedExample] = []
        room = max(total, _length(waiting[-1]))
        while index := bisect_right(waiting, room, key=_length):
            group.append(waiting.pop(index - 1))
            room -= _length(group[-1])
        yield group


def collate_packed(group: list[EncodedExample], total: int, pad_token_id: int) -> Pack:
    """Lay a group of `by_pack` end to end."""
    lengths = [_length(example) for example in group]
    starts = [0, *accumulate(lengths)]
    spare = max(0, total - starts[-1])
    filled = [*zip(group, starts, strict=False)]
    filled += filled[-1:] * (-len(group) % SET_SIZE)
    return Pack(
        examples=group,
        stretches=tuple(_stretches(lengths)),
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


def _stretches(lengths: Sequence[int]) -> Iterator[Segment]:
    start = 0
    for length, equals in groupby(lengths):
        count = len(list(equals))
        yield Segment(start, count, length)
        start += count * length


def _in_sets(values: Sequence[Any]) -> Tensor:
    """Shape: [K, C, ...], int64."""
    tensor = torch.tensor(values)
    return tensor.reshape(-1, SET_SIZE, *tensor.shape[1:])


def _row(values: Sequence[int], filler: int, spare: int) -> Tensor:
    """Shape: [1, T], int64."""
    return torch.tensor([[*values, *[filler] * spare]])
