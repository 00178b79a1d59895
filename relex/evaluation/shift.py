"""How far one file's mix lies from another's, and weights that make one file's mix look like the other's.

A score holds for rows of the mix it was measured on. The target file needs no labels: type pairs and sources are
enough to say how much it differs, and to weigh a labelled file's rows as the target would.

What a score might be on a file without labels: each row weighed as the other file's mix would have it.

It corrects the mix of type pairs and sources and nothing else, so it tells a part of a drop between two files, not
all of it. Pure: the flow imports it without waking numpy.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from relex.domain.examples import Example
from relex.domain.mix import psi, type_pair_and_source
from relex.errors import InvalidInput
from relex.labels import NO_RELATION

BOUND = 10.0
"""A category that is rarer than a tenth of its target share has too few rows to speak for it."""


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


@dataclass(frozen=True, slots=True)
class Reweighted:
    """Micro-F1 as the target file's mix would have it, and how far that can be trusted."""

    micro_f1: float
    """x100."""
    psi: float
    """Population stability index of type pair and source, from the judged file to the target."""
    effective_rows: float
    """How many equally weighted rows would be as precise."""
    unreached: float
    """Share of the target's rows of a type pair and source that no judged row has."""
    underweighed: float
    """Share of the target's rows of a kind so rare here that its weight had to be cut."""


def reweighted(examples: Sequence[Example], predicted: Sequence[str], target: Sequence[Example]) -> Reweighted:
    """Weigh micro-F1 by the target's mix.

    Args:
        examples: each with its gold label.
        predicted: a label for each.
        target: the other file's examples; labels are not looked at.

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
