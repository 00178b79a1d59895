"""Is one model better than another on the same rows, or was it luck? Two tests that use the pairing of the rows.

Judges predictions by their gold labels: implements `relex.flows.evaluate.Evaluator`.

Gold labels are those of the examples. Predicted labels are those that were stored, so what is judged is what an
export holds.

Judges every kind of vote of some models on a labelled file, each model's probabilities being read once.

Fits `relex.flows.ensemble.VoteEvaluator`, which resolves this module by name; `training.folds` uses it too.
"""

from collections.abc import Sequence

import numpy as np

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
    """B minus A, with the paired bootstrap's interval and p-value.

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
    """The exact p-value of McNemar's test (1947): a two-sided sign test on the rows that one model alone gets right.

    1 where there is no such row. Counted in whole numbers, so it holds for any number of rows.
    """
    rows = only_a + only_b
    ways = total = 1
    for chosen in range(min(only_a, only_b)):
        ways = ways * (rows - chosen) // (chosen + 1)
        total += ways
    return min(1.0, total / 2 ** (rows - 1)) if rows else 1.0


def evaluate_predictions(
    examples: Sequence[Example], predictions: Sequence[Prediction], labels: Sequence[str]
) -> EvaluationReport:
    """All figures of one model on one file.

    Args:
        examples: each with its gold label.
        predictions: one an example, in the same order.
        labels: the order of their probabilities.
    """
    gold, predicted = _gold(examples), _predicted(predictions)
    table = score_table(gold, predicted, labels)
    return EvaluationReport(
        rows=len(examples),
        headline=_Measured(gold, predictions, labels).headline(),
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
    """Two models on the same examples.

    Args:
        examples: each with its gold label.
        a: A's predictions, one an example, in the same order, and the label order of their probabilities.
        b: the same of B; its label order may be another.
    """
    gold = _gold(examples)
    one, other = _Measured(gold, *a), _Measured(gold, *b)
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


class _Measured:
    """One model's scores on the file and on each resample of it; all share one seed."""

    def __init__(self, gold: Sequence[str], predictions: Sequence[Prediction], labels: Sequence[str]) -> None:
        probabilities = _probabilities(predictions)
        predicted = _predicted(predictions)
        self.micro_f1: float = micro_f1(gold, predicted)
        self.micro_f1s: Resampled = micro_f1s(gold, predicted)
        self.auprc: float = auprc(gold, probabilities, labels)
        self.auprcs: Resampled = auprcs(gold, probabilities, labels)
        self.average_precision: float = average_precision(gold, probabilities, labels)

    def headline(self) -> Headline:
        """The file's own scores with their intervals."""
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
"""A model's name, its predictions, one an example in their order, and the label order of their probabilities."""


def evaluate_votes(examples: Sequence[Example], members: Sequence[Member]) -> EnsembleReport:
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
) -> EnsembleReport:
    """The same of arrays.

    Args:
        names: what the members are called.
        members: their probabilities. Shape: [members, rows, labels]
        gold: each row's label.
        labels: the order of the probabilities.
    """
    place = {label: index for index, label in enumerate(labels)}
    places = [place[label] for label in gold]
    votes = [
        VoteScores(how, None, _headline(gold, vote(members, how), labels)) for how in Vote if how is not Vote.WEIGHTED
    ]
    weights = tuple(fitted_weights(members, places).tolist())
    votes.append(VoteScores(Vote.WEIGHTED, weights, _headline(gold, cross_fitted(members, places), labels)))
    return EnsembleReport(names, tuple(_headline(gold, member, labels) for member in members), tuple(votes))


def _headline(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str]) -> Headline:
    predicted = [labels[index] for index in probabilities.argmax(axis=1)]
    return Headline(
        micro_f1=Figure(micro_f1(gold, predicted), interval(micro_f1s(gold, predicted))),
        auprc=Figure(auprc(gold, probabilities, labels), interval(auprcs(gold, probabilities, labels))),
        average_precision=average_precision(gold, probabilities, labels),
    )
