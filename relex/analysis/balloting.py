"""Judges every kind of vote of some models on a labelled file, each model's probabilities being read once.

Fits `relex.flows.ensemble.Balloter`, which resolves this module by name; `training.folds` uses it too.
"""

from collections.abc import Sequence

import numpy as np

from relex.analysis.judged import Ballot, Figure, Headline, Voted
from relex.analysis.metrics import Probabilities, auprc, average_precision, micro_f1
from relex.analysis.resampling import auprcs, interval, micro_f1s
from relex.analysis.voting import MemberProbabilities, cross_fitted, fitted_weights, stacked, vote
from relex.examples import Example, Prediction
from relex.model.ensemble import Vote

Member = tuple[str, Sequence[Prediction], Sequence[str]]
"""A model's name, its predictions, one an example in their order, and the label order of their probabilities."""


def ballot(examples: Sequence[Example], members: Sequence[Member]) -> Ballot:
    """What the members are worth alone and together.

    Args:
        examples: each with its gold label.
        members: in the order that they will have; the first one's label order holds for all.
    """
    labels = members[0][2]
    found = [(np.array([each.probabilities for each in predictions]), order) for _, predictions, order in members]
    gold = [str(example.label) for example in examples]
    return ballot_of(tuple(name for name, _, _ in members), stacked(found, labels), gold, labels)


def ballot_of(
    names: tuple[str, ...], members: MemberProbabilities, gold: Sequence[str], labels: Sequence[str]
) -> Ballot:
    """The same of arrays.

    Args:
        names: what the members are called.
        members: their probabilities. Shape: [members, rows, labels]
        gold: each row's label.
        labels: the order of the probabilities.
    """
    place = {label: index for index, label in enumerate(labels)}
    places = [place[label] for label in gold]
    votes = [Voted(how, None, _headline(gold, vote(members, how), labels)) for how in Vote if how is not Vote.WEIGHTED]
    weights = tuple(fitted_weights(members, places).tolist())
    votes.append(Voted(Vote.WEIGHTED, weights, _headline(gold, cross_fitted(members, places), labels)))
    return Ballot(names, tuple(_headline(gold, member, labels) for member in members), tuple(votes))


def _headline(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str]) -> Headline:
    predicted = [labels[index] for index in probabilities.argmax(axis=1)]
    return Headline(
        micro_f1=Figure(micro_f1(gold, predicted), interval(micro_f1s(gold, predicted))),
        auprc=Figure(auprc(gold, probabilities, labels), interval(auprcs(gold, probabilities, labels))),
        average_precision=average_precision(gold, probabilities, labels),
    )
