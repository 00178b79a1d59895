"""Rows of a job for a person to label: some for what they teach, the others drawn so that they can stand for the job.

Half of the rows are chosen: those of the smallest margin and, where rows have gold labels, likely label errors. Each of
these stands for itself alone. The other half is a stratified random sample of the remaining rows by type pair, so each
row of a stratum has the same, known probability of being drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

OTHER = "other"
"""Name of the stratum of the rare type pairs."""
MIN_DRAWN = 2
"""Minimum number of rows that are drawn of a stratum, because a variance needs two."""


class DrawnBy(StrEnum):
    """The way in which a row came into a review."""

    MARGIN = "margin"
    """It has one of the smallest margins."""
    LABEL_ERROR = "label_error"
    """Its gold label is likely to be wrong."""
    TYPE_PAIR = "type_pair"
    """It was drawn at random among the remaining rows of its type pair."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Rows of a job of which each has the same probability of being in a review."""

    name: str
    """A type pair, `OTHER`, or the name of the way in which all of its rows were chosen."""
    rows: int
    """Number of rows that it stands for."""

    @classmethod
    def parse(cls, name: str, rows: str) -> "Stratum | None":
        """Read a stratum as a review states it; None if it does not."""
        return cls(name, int(rows)) if name and rows.isascii() and rows.isdigit() and int(rows) else None


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A row of a review, and how it was drawn."""

    row_no: int
    drawn_by: DrawnBy
    stratum: Stratum
    weight: float
    """Number of rows of the job for which it stands: the reciprocal of its probability of being drawn."""


def chosen(drawn_by: DrawnBy, rows: list[int]) -> list[DrawnRow]:
    """Return rows that were chosen, each of which stands for itself."""
    return [DrawnRow(row_no, drawn_by, Stratum(drawn_by, len(rows)), 1.0) for row_no in rows]


def spread(counts: Mapping[str, int], draws: int) -> dict[str, tuple[int, int]]:
    """Spread draws over type pairs in proportion to the square root of their rows (power allocation, Bankier 1988).

    A rare type pair thus gets more than its share and a frequent one still the most. If there are too many for two
    draws each, the rarest are put together as `OTHER`, so that every row may be drawn.

    Args:
        counts: rows by type pair.
        draws: number of rows to draw; no more than there are rows are drawn.

    Returns:
        Rows and draws by stratum.
    """
    by_size = sorted(counts, key=lambda pair: (-counts[pair], pair))
    room = max(draws // MIN_DRAWN, 1)
    named = by_size if len(by_size) <= room else by_size[: room - 1]
    rows = {name: counts[name] for name in named}
    if rest := sum(counts.values()) - sum(rows.values()):
        rows[OTHER] = rest
    drawn = {name: min(MIN_DRAWN, size) for name, size in rows.items()} if draws >= MIN_DRAWN * len(rows) else {}
    drawn = drawn or dict.fromkeys(rows, min(draws, 1))
    for _ in range(min(draws, sum(rows.values())) - sum(drawn.values())):
        open_ = [name for name in rows if drawn[name] < rows[name]]
        drawn[max(open_, key=lambda name: sqrt(rows[name]) / drawn[name])] += 1
    return {name: (rows[name], drawn[name]) for name in rows if drawn[name]}
