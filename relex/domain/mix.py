"""Categories of a file's rows, and the population stability index (PSI) between two files."""

from collections.abc import Mapping, Sequence
from math import log

from relex.domain.examples import Example
from relex.errors import InvalidInput

STABLE, LARGE = 0.1, 0.25
"""Usual thresholds of PSI (Siddiqi 2006, "Credit Risk Scorecards"): stable below 0.1, a large shift from 0.25."""
HALF_ROW = 0.5


def type_pair(example: Example) -> str:
    """Return the entity types as `SUBJECT-OBJECT`, such as ORG-PER."""
    return f"{example.subject.type}-{example.object.type}"


NO_SOURCE = "no source"
OTHER_SOURCES = "other sources"
"""All sources but the most common ones of a profile: a column may name another one in every row."""


def source(example: Example) -> str:
    """Return the source of the sentence as the file names it."""
    return example.source or NO_SOURCE


def type_pair_and_source(example: Example) -> str:
    """Return type pair and source, which explain most of KLUE-RE's shift that is visible without labels."""
    return f"{type_pair(example)} {source(example)}"


LENGTHS = ((50, "up to 50"), (100, "51 to 100"), (150, "101 to 150"), (200, "151 to 200"))
"""Maximum number of characters of a category of lengths, and its name; fixed, so that files can be compared."""
LONGER = "over 200"


def length(characters: int) -> str:
    """Return the category of a sentence's length."""
    return next((name for limit, name in LENGTHS if characters <= limit), LONGER)


def psi(expected: Mapping[str, int], actual: Mapping[str, int]) -> float:
    """Compute the population stability index of two counts by category: the sum of (q - p) ln(q / p).

    p are the expected shares, q the actual ones. The index is 0 for equal shares and symmetric. Half a row is added to
    every category on both sides, so that a category that one side lacks stays finite.

    Raises:
        InvalidInput: a side has no rows.
    """
    if not sum(expected.values()) or not sum(actual.values()):
        raise InvalidInput("a file without rows cannot be compared; use two files with examples")
    categories = sorted({*expected, *actual})
    shares = zip(_smoothed(expected, categories), _smoothed(actual, categories), strict=True)
    return sum((q - p) * log(q / p) for p, q in shares)


def describe_psi(value: float) -> str:
    """Describe a PSI in words."""
    if value < STABLE:
        return "stable"
    return "some shift" if value < LARGE else "large shift"


def _smoothed(counts: Mapping[str, int], categories: Sequence[str]) -> list[float]:
    """Return shares with half a row added to every category; they sum to 1."""
    total = sum(counts.values()) + HALF_ROW * len(categories)
    return [(counts.get(category, 0) + HALF_ROW) / total for category in categories]
