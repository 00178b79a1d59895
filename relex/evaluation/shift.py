"""Distribution shift between two files: importance weights, and micro-F1 reweighted to another file's mix.

A score holds for rows of the mix that it was measured on. The target file needs no labels: its type pairs and sources
suffice to measure the difference and to weight a labeled file's rows accordingly. The weights correct the mix of type
pairs and sources and nothing else, so they explain a part of a drop between two files, not all of it. This module
imports no numpy, so that flows can use it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from relex.domain.examples import Example
from relex.domain.mix import psi, type_pair_and_source
from relex.errors import InvalidInput
from relex.labels import NO_RELATION

BOUND = 10.0
"""Maximum ratio of weights: a category rarer than a tenth of its target share has too few rows to represent it."""


@dataclass(frozen=True, slots=True)
class Weighting:
    """Weights that give a file the target's mix, and how far they can be trusted."""

    values: tuple[float, ...]
    """One weight for each example, in order; their mean is 1."""
    effective_size: float
    """Number of equally weighted examples that would be as precise: (sum w)^2 / sum w^2 (Kish 1965)."""
    clipped: Mapping[str, float]
    """Categories more than `BOUND` times as frequent in the target, with their share of it; their weight is too low."""
    unreached: Mapping[str, float]
    """Categories of the target that no example has, with their share of it; no row represents these."""
    unused: Mapping[str, float]
    """Categories of the examples that the target lacks, with their share of the examples; their weight is 0."""


def weights(
    examples: Sequence[Example],
    target: Sequence[Example],
    by: Callable[[Example], str] = type_pair_and_source,
) -> Weighting:
    """Compute importance weights: a category's share of the target over its share of the examples.

    A ratio above `BOUND` is clipped to it, then all are scaled to mean 1. Within one category both files are assumed
    to be alike.

    Raises:
        InvalidInput: the files have no category in common.
    """
    return weigh([by(example) for example in examples], Counter(by(example) for example in target))


def weigh(categories: Sequence[str], target: Mapping[str, int]) -> Weighting:
    """Compute the same weights from the category of each example and the target's rows by category.

    Raises:
        InvalidInput: no example has a category of the target.
    """
    here, there = _shares(Counter(categories)), _shares(target)
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


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {category: count / total for category, count in Counter(counts).most_common()}


@dataclass(frozen=True, slots=True)
class Reweighted:
    """Micro-F1 reweighted to the target file's mix, and how far it can be trusted."""

    micro_f1: float
    """Reweighted micro-F1, x100."""
    psi: float
    """Population stability index of type pair and source, from the evaluated file to the target."""
    effective_rows: float
    """Number of equally weighted rows that would be as precise."""
    unreached: float
    """Share of the target's rows of a type pair and source that no evaluated row has."""
    underweighed: float
    """Share of the target's rows of a kind so rare here that its weight was clipped."""


def reweighted(examples: Sequence[Example], predicted: Sequence[str], target: Sequence[Example]) -> Reweighted:
    """Reweight micro-F1 to the target's mix.

    Args:
        examples: the rows, each with its gold label.
        predicted: the predicted label of each row.
        target: the other file's examples; their labels are not used.

    Raises:
        InvalidInput: the files have no type pair and source in common.
    """
    weighting = weights(examples, target)
    hits = sides = 0.0
    for example, label, weight in zip(examples, predicted, weighting.values, strict=True):
        hits += weight * (example.label == label != NO_RELATION)
        sides += weight * ((example.label != NO_RELATION) + (label != NO_RELATION))
    return Reweighted(
        micro_f1=200 * hits / sides if sides else 0.0,
        psi=psi(Counter(map(type_pair_and_source, examples)), Counter(map(type_pair_and_source, target))),
        effective_rows=weighting.effective_size,
        unreached=sum(weighting.unreached.values()),
        underweighed=sum(weighting.clipped.values()),
    )
