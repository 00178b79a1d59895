"""How long the sentences of a file are, kept as counts so that a million of them weigh nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Scale:
    """How lengths of one unit are grouped: fixed, so that files compare."""

    unit: str
    width: int
    """Lengths a bin of the histogram."""
    end: int
    """From here on all lengths share the last bin; a multiple of the width."""
    limits: tuple[int, ...]
    """Lengths above which sentences are counted."""


CHARACTERS = Scale("characters", 20, 400, (400,))
TOKENS = Scale("tokens", 16, 256, (128, 160))
"""128 and 160 are the windows that models of KLUE-RE usually read."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of one file's sentences."""

    scale: Scale
    counts: Mapping[int, int]
    """Sentences by exact length, the shortest first; at least one."""

    @property
    def total(self) -> int:
        """How many sentences were measured."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float:
        """Mean length."""
        return sum(length * count for length, count in self.counts.items()) / self.total

    @property
    def longest(self) -> int:
        """The greatest length."""
        return max(self.counts)

    def quantile(self, share: float) -> int:
        """The smallest length that at least this share of the sentences does not exceed."""
        sums = zip(self.counts, accumulate(self.counts.values()), strict=True)
        return next(length for length, up_to in sums if up_to >= share * self.total)

    def above(self, limit: int) -> int:
        """How many sentences are longer."""
        return sum(count for length, count in self.counts.items() if length > limit)

    @property
    def histogram(self) -> dict[str, int]:
        """Sentences by bin, all bins of the scale, named like `20-39` and `400+`."""
        scale = self.scale
        bins: Counter[int] = Counter()
        for length, count in self.counts.items():
            bins[min(length, scale.end) // scale.width] += count
        starts = range(0, scale.end, scale.width)
        names = [*(f"{start}-{start + scale.width - 1}" for start in starts), f"{scale.end}+"]
        return {name: bins[index] for index, name in enumerate(names)}


def measure(lengths: Iterable[int], scale: Scale) -> Lengths:
    """Count lengths, at least one."""
    return Lengths(scale, dict(sorted(Counter(lengths).items())))
