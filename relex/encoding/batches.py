"""Batches of examples: grouped by length, padded and stacked as tensors.

A batch is bounded by its padded tokens, not by its examples, because tokens are what cost time and memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from relex.encoding.markers import Range
from relex.encoding.tokens import EncodedExample


@dataclass(frozen=True, slots=True)
class Batch:
    """B examples padded to L tokens. All tensors are on one device."""

    row_nos: list[int]
    input_ids: Tensor
    """Shape: [B, L], int64."""
    attention_mask: Tensor
    """Shape: [B, L], int64; 1 on tokens, 0 on padding."""
    token_type_ids: Tensor
    """Shape: [B, L], int64."""
    subject_mask: Tensor
    """Shape: [B, L], bool; true on the subject's own tokens, at least one."""
    object_mask: Tensor
    """Shape: [B, L], bool; the same for the object."""
    subject_marker: Tensor
    """Shape: [B], int64; position of the subject's opening marker."""
    object_marker: Tensor
    """Shape: [B], int64; position of the object's opening marker."""

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by name, as `RelationClassifier.forward` takes them."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "row_nos"}

    def to(self, device: torch.device) -> "Batch":
        """Return the same batch on another device."""
        return Batch(self.row_nos, **{name: tensor.to(device) for name, tensor in self.tensors().items()})


def collate(encoded: Sequence[EncodedExample], pad_token_id: int) -> Batch:
    """Pad the examples to the longest of them and stack them in the given order."""
    length = max(len(example.input_ids) for example in encoded)
    sizes = torch.tensor([len(example.input_ids) for example in encoded])
    return Batch(
        row_nos=[example.row_no for example in encoded],
        input_ids=_padded([example.input_ids for example in encoded], length, pad_token_id),
        attention_mask=(torch.arange(length) < sizes[:, None]).long(),
        token_type_ids=_padded([example.token_type_ids for example in encoded], length, 0),
        subject_mask=_mask([example.subject for example in encoded], length),
        object_mask=_mask([example.object for example in encoded], length),
        subject_marker=torch.tensor([example.subject_marker for example in encoded]),
        object_marker=torch.tensor([example.object_marker for example in encoded]),
    )


def batch_by_token_budget(encoded: Sequence[EncodedExample], max_tokens: int) -> Iterator[list[EncodedExample]]:
    """Yield groups of examples of similar length, shortest first; equal lengths keep their order.

    The number of examples times the longest length is at most `max_tokens`, except for a single example that is
    longer than that.
    """
    group: list[EncodedExample] = []
    for example in sorted(encoded, key=lambda example: len(example.input_ids)):
        if group and (len(group) + 1) * len(example.input_ids) > max_tokens:
            yield group
            group = []
        group.append(example)
    if group:
        yield group


def _padded(rows: Sequence[Sequence[int]], length: int, filler: int) -> Tensor:
    """Shape: [B, L], int64."""
    return torch.tensor([[*row, *[filler] * (length - len(row))] for row in rows])


def _mask(ranges: Sequence[Range], length: int) -> Tensor:
    """Shape: [B, L], bool; true inside each row's range."""
    start, end = torch.tensor(ranges).unbind(1)
    position = torch.arange(length)
    return (position >= start[:, None]) & (position < end[:, None])
