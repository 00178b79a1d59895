"""What a score might be on a file without labels: each row weighed as the other file's mix would have it.

It corrects the mix of type pairs and sources and nothing else, so it tells a part of a drop between two files, not
all of it. Pure: the flow imports it without waking numpy.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from relex.analysis.shift import psi, type_pair_and_source, weights
from relex.examples import Example
from relex.labels import NO_RELATION


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
