"""Evaluations of predictions on labeled rows: one model, two models compared, and several models that vote.

The predicted labels are those that were stored, so an evaluation sees exactly what an export holds.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from relex.domain.examples import Example, Prediction
from relex.evaluation.intervals import Resampled, auprcs, interval, micro_f1s
from relex.evaluation.metrics import Probabilities, auprc, average_precision, micro_f1, score_table
from relex.evaluation.reports import (
    Difference,
    EnsembleReport,
    EvaluationReport,
    Figure,
    Headline,
    LabelScore,
    PairedComparison,
    VoteScores,
)
from relex.evaluation.slices import by_length, by_source, by_type_pair, confusions
from relex.evaluation.voting import MemberProbabilities, cross_fitted, fitted_weights, stacked, vote
from relex.model.ensemble import Vote


def difference(a: float, b: float, resampled_a: Resampled, resampled_b: Resampled) -> Difference:
    """Subtract A's score from B's, with the interval and the p-value of the paired bootstrap.

    The p-value is two-sided: twice the share of resamples on the rarer side of 0, where no difference counts on both.
    One resample is added to either side, so that it is never 0 (Davison and Hinkley 1997); with 1,000 resamples 0.002
    is the smallest.

    Args:
        a: A's score on the file itself.
        b: B's.
        resampled_a: A's score on each resample.
        resampled_b: B's on the same resamples, so under the same seed.
    """
    gains = resampled_b - resampled_a
    rarer = int(min((gains <= 0).sum(), (gains >= 0).sum()))
    return Difference(b - a, interval(gains), min(1.0, 2 * (rarer + 1) / (len(gains) + 1)))


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p-value of McNemar's test (1947), 1 if there are no discordant rows.

    Args:
        only_a: number of rows that A alone gets right.
        only_b: number of rows that B alone gets right.
    """
    rows = only_a + only_b
    return float(binomtest(only_a, rows).pvalue) if rows else 1.0


def evaluate_predictions(
    examples: Sequence[Example], predictions: Sequence[Prediction], labels: Sequence[str]
) -> EvaluationReport:
    """Compute all figures of one model on one file.

    Args:
        examples: the rows, each with its gold label.
        predictions: one for each example, in the same order.
        labels: the labels in the order of the probabilities.
    """
    gold, predicted = _gold(examples), _predicted(predictions)
    table = score_table(gold, predicted, labels)
    return EvaluationReport(
        rows=len(examples),
        headline=_ResampledScores(gold, predicted, _probabilities(predictions), labels).headline(),
        per_label=tuple(LabelScore(str(label), *scores) for label, *scores in table.itertuples()),
        by_type_pair=by_type_pair(examples, predicted),
        by_source=by_source(examples, predicted),
        by_length=by_length(examples, predicted),
        confusions=confusions(gold, predicted),
    )


def compare_predictions(
    examples: Sequence[Example],
    a: tuple[Sequence[Prediction], Sequence[str]],
    b: tuple[Sequence[Prediction], Sequence[str]],
) -> PairedComparison:
    """Compare two models on the same examples.

    Args:
        examples: the rows, each with its gold label.
        a: A's predictions, one for each example, in the same order, and the label order of their probabilities.
        b: the same for B; its label order may differ.
    """
    gold = _gold(examples)
    one, other = (
        _ResampledScores(gold, _predicted(predictions), _probabilities(predictions), labels)
        for predictions, labels in (a, b)
    )
    right = list(zip(_right(gold, a[0]), _right(gold, b[0]), strict=True))
    only_a, only_b = right.count((True, False)), right.count((False, True))
    return PairedComparison(
        a=one.headline(),
        b=other.headline(),
        micro_f1=difference(one.micro_f1, other.micro_f1, one.micro_f1s, other.micro_f1s),
        auprc=difference(one.auprc, other.auprc, one.auprcs, other.auprcs),
        both_right=right.count((True, True)),
        only_a_right=only_a,
        only_b_right=only_b,
        none_right=right.count((False, False)),
        mcnemar_p=mcnemar(only_a, only_b),
    )


class _ResampledScores:
    """One model's scores on the file and on each resample of it; all models share one seed."""

    def __init__(
        self, gold: Sequence[str], predicted: Sequence[str], probabilities: Probabilities, labels: Sequence[str]
    ) -> None:
        self.micro_f1: float = micro_f1(gold, predicted)
        self.micro_f1s: Resampled = micro_f1s(gold, predicted)
        self.auprc: float = auprc(gold, probabilities, labels)
        self.auprcs: Resampled = auprcs(gold, probabilities, labels)
        self.average_precision: float = average_precision(gold, probabilities, labels)

    def headline(self) -> Headline:
        """Return the file's own scores with their intervals."""
        return Headline(
            micro_f1=Figure(self.micro_f1, interval(self.micro_f1s)),
            auprc=Figure(self.auprc, interval(self.auprcs)),
            average_precision=self.average_precision,
        )


def _gold(examples: Sequence[Example]) -> list[str]:
    return [str(example.label) for example in examples]


def _predicted(predictions: Sequence[Prediction]) -> list[str]:
    return [prediction.label for prediction in predictions]


def _right(gold: Sequence[str], predictions: Sequence[Prediction]) -> list[bool]:
    return [label == prediction.label for label, prediction in zip(gold, predictions, strict=True)]


def _probabilities(predictions: Sequence[Prediction]) -> Probabilities:
    return np.array([prediction.probabilities for prediction in predictions])


Member = tuple[str, Sequence[Prediction], Sequence[str]]
"""A model's name, its predictions, one for each example, and the label order of their probabilities."""


def evaluate_votes(examples: Sequence[Example], members: Sequence[Member]) -> EnsembleReport:
    """Evaluate each member alone and every kind of vote of all members.

    Args:
        examples: the rows, each with its gold label.
        members: the models in the ensemble's order; the first one's label order is used for all.
    """
    labels = members[0][2]
    probabilities = [(_probabilities(predictions), order) for _, predictions, order in members]
    return evaluate_stacked_votes(
        tuple(name for name, _, _ in members), stacked(probabilities, labels), _gold(examples), labels
    )


def evaluate_stacked_votes(
    names: tuple[str, ...], members: MemberProbabilities, gold: Sequence[str], labels: Sequence[str]
) -> EnsembleReport:
    """Evaluate members and votes as `evaluate_votes` does, from arrays.

    Args:
        names: the members' names.
        members: the members' probabilities. Shape: [members, rows, labels]
        gold: the label of each row.
        labels: the labels in the order of the probabilities.
    """
    index_of = {label: index for index, label in enumerate(labels)}
    gold_indices = [index_of[label] for label in gold]
    votes = [
        VoteScores(how, None, _headline(gold, vote(members, how), labels)) for how in Vote if how is not Vote.WEIGHTED
    ]
    weights = tuple(fitted_weights(members, gold_indices).tolist())
    votes.append(VoteScores(Vote.WEIGHTED, weights, _headline(gold, cross_fitted(members, gold_indices), labels)))
    return EnsembleReport(names, tuple(_headline(gold, member, labels) for member in members), tuple(votes))


def _headline(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str]) -> Headline:
    predicted = [labels[index] for index in probabilities.argmax(axis=1)]
    return _ResampledScores(gold, predicted, probabilities, labels).headline()
