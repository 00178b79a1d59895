"""Truncation of long sentences: which tokens the model reads, always with both entities."""

from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum
from heapq import nsmallest

from relex.encoding.markers import Range


class Overflow(StrEnum):
    """The handling of an example whose entities do not fit into the window with all tokens between them."""

    TRUNCATE = "truncate"
    """Keep a piece around each entity and drop the middle; the prediction is flagged as truncated."""
    REJECT = "reject"
    """Neither score the example nor train on it, because the words between the entities often decide."""


def exceeds(blocks: Sequence[Range], room: int) -> bool:
    """Return whether two sorted blocks and all tokens between them are more than `room` tokens."""
    return blocks[1][1] - blocks[0][0] > room


def window(text: range, blocks: Sequence[Range], room: int) -> list[int]:
    """Return the `room` token positions that are nearest to an entity, in order; both entities are always kept.

    If the entities and all tokens between them fit, they stay in one piece and the spare room is divided evenly between
    left and right; otherwise a piece around each entity is kept, and the middle is dropped.
    """
    (start, first_end), (second_start, end) = blocks
    pieces = [(start, first_end), (second_start, end)] if exceeds(blocks, room) else [(start, end)]

    def distance(index: int) -> int:
        return min(max(start - index, index + 1 - end, 0) for start, end in pieces)

    return sorted(nsmallest(room, text, key=distance))


def range_after_cut(tokens: Range, positions: Sequence[int]) -> Range:
    """Convert a range of tokens that are all kept to the positions after the cut."""
    start = bisect_left(positions, tokens[0])
    return start, start + tokens[1] - tokens[0]
