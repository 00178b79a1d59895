"""How far one file's mix lies from another's, and weights that make one file's mix look like the other's.

A score holds for rows of the mix it was measured on. The target file needs no labels: type pairs and sources are
enough to say how much it differs, and to weigh a labelled file's rows as the target would.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from relex.errors import InvalidInput
from relex.examples import Example

STABLE, LARGE = 0.1, 0.25
"""How a PSI is usually read (Siddiqi 2006, "Credit Risk Scorecards"): stable below 0.1, a large shift from 0.25."""
HALF_ROW = 0.5
BOUND = 10.0
"""A category that is rarer than a tenth of its target share has too few rows to speak for it."""


def type_pair(example: Example) -> str:
    """`SUBJECT-OBJECT` by entity types, such as ORG-PER."""
    return f"{example.subject.type}-{example.object.type}"


def source(example: Example) -> str:
    """Where the sentence comes from, in the file's own word."""
    return example.source or "no source"


def type_pair_and_source(example: Example) -> str:
    """The type pair and the source, which together explain most of KLUE-RE's shift that can be seen without labels."""
    return f"{type_pair(example)} {source(example)}"


def psi(expected: Mapping[str, int], found: Mapping[str, int]) -> float:
    """Population stability index of two counts by category: the sum of (q - p) ln(q / p), p expected and q found.

    0 for equal mixes, the same in both directions. Half a row is added to every category on both sides, so that
    one that a side lacks stays finite.

    Raises:
        InvalidInput: a side has no rows.
    """
    if not sum(expected.values()) or not sum(found.values()):
        raise InvalidInput("a mix of no rows cannot be compared; give two files with examples")
    categories = sorted({*expected, *found})
    shares = zip(_smoothed(expected, categories), _smoothed(found, categories), strict=True)
    return sum((q - p) * log(q / p) for p, q in shares)


def verdict(value: float) -> str:
    """A PSI in words."""
    if value < STABLE:
        return "stable"
    return "some shift" if value < LARGE else "large shift"


def _smoothed(counts: Mapping[str, int], categories: Sequence[str]) -> list[float]:
    """Shares with half a row more in every category; they sum to 1."""
    total = sum(counts.values()) + HALF_ROW * len(categories)
    return [(counts.get(category, 0) + HALF_ROW) / total for category in categories]


@dataclass(frozen=True, slots=True)
class Weighting:
    """What each example counts so that the file has the target's mix, and how far that can be trusted."""

    values: tuple[float, ...]
    """One weight an example, in order; their mean is 1."""
    effective_size: float
    """How many equally weighted examples would be as precise: (sum w)^2 / sum w^2 (Kish 1965)."""
    clipped: Mapping[str, float]
    """Categories more than `BOUND` times as frequent in the target, with their share of it: weighed too low."""
    unreached: Mapping[str, float]
    """Categories of the target that no example has, with their share of it: nothing speaks for these rows."""
    unused: Mapping[str, float]
    """Categories of the examples that the target lacks, with their share of the examples: weight 0."""


def weights(
    examples: Sequence[Example],
    target: Sequence[Example],
    by: Callable[[Example], str] = type_pair_and_source,
) -> Weighting:
    """Importance weights from the examples to the target: a category's share there over its share here.

    A ratio above `BOUND` is cut to it; then all are scaled to mean 1. They correct the mix of categories and
    nothing else: inside one category both files are taken to be alike.

    Raises:
        InvalidInput: the files have no category in common.
    """
    categories = [by(example) for example in examples]
    here, there = _shares(categories), _shares([by(example) for example in target])
    if not here.keys() & there.keys():
        raise InvalidInput("no example has a type pair and source of the target file; weigh by something coarser")
    ratios = {category: there.get(category, 0.0) / share for category, share in here.items()}
    raw = [min(ratios[category], BOUND) for category in categories]
    mean = sum(raw) / len(raw)
    values = tuple(value / mean for value in raw)
    return Weighting(
        values=values,
        effective_size=len(values) ** 2 / sum(value**2 for value in values),
        clipped={category: there[category] for category, ratio in ratios.items() if ratio > BOUND},
        unreached={category: share for category, share in there.items() if category not in here},
        unused={category: share for category, share in here.items() if category not in there},
    )


def _shares(categories: Sequence[str]) -> dict[str, float]:
    return {category: count / len(categories) for category, count in Counter(categories).most_common()}
