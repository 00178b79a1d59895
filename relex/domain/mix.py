"""The mix of a file: categories of its rows, and how far two files' shares of them differ (PSI)."""

from collections.abc import Mapping, Sequence
from math import log

from relex.domain.examples import Example
from relex.errors import InvalidInput

STABLE, LARGE = 0.1, 0.25
"""How a PSI is usually read (Siddiqi 2006, "Credit Risk Scorecards"): stable below 0.1, a large shift from 0.25."""
HALF_ROW = 0.5


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


def describe_psi(value: float) -> str:
    """A PSI in words."""
    if value < STABLE:
        return "stable"
    return "some shift" if value < LARGE else "large shift"


def _smoothed(counts: Mapping[str, int], categories: Sequence[str]) -> list[float]:
    """Shares with half a row more in every category; they sum to 1."""
    total = sum(counts.values()) + HALF_ROW * len(categories)
    return [(counts.get(category, 0) + HALF_ROW) / total for category in categories]
