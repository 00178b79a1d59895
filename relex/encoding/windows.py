"""Which tokens of a sentence that is too long the model reads: never without an entity.

Pure: token ranges in, positions out; `tokens` has the tokens.
"""

from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum
from heapq import nsmallest

from relex.encoding.markers import Range


class Overflow(StrEnum):
    """What becomes of an example whose entities do not fit into the window together with all between them."""

    TRUNCATE = "truncate"
    """A piece round each entity is kept and the middle goes; the prediction is flagged, as after any cut."""
    REJECT = "reject"
    """It cannot be scored, nor learned from: what stands between the entities often decides."""


def apart(blocks: Sequence[Range], room: int) -> bool:
    """Whether two blocks, in their order, and all between them are more than `room` tokens."""
    return blocks[1][1] - blocks[0][0] > room


def window(text: range, blocks: Sequence[Range], room: int) -> list[int]:
    """The `room` tokens of the text that stand nearest to an entity, both entities with their markers first.

    If the entities and all between them fit, they stay in one piece and the spare room goes evenly to the left
    and right; otherwise a piece round each entity stays, and the middle goes.
    """
    (start, first_end), (second_start, end) = blocks
    pieces = [(start, first_end), (second_start, end)] if apart(blocks, room) else [(start, end)]

    def distance(index: int) -> int:
        return min(max(start - index, index + 1 - end, 0) for start, end in pieces)

    return sorted(nsmallest(room, text, key=distance))


def moved(tokens: Range, kept: Sequence[int]) -> Range:
    """Where tokens that are all kept stand after the cut."""
    start = bisect_left(kept, tokens[0])
    return start, start + tokens[1] - tokens[0]
