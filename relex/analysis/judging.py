"""Judges predictions by their gold labels: fits `relex.flows.judging.Judge`, which resolves this module by name.

Gold labels are those of the examples. Predicted labels are those that were stored, so what is judged is what an
export holds.
"""

from collections.abc import Sequence

import numpy as np

from relex.analysis.comparison import difference, mcnemar
from relex.analysis.judged import Figure, Headline, Judgement, LabelScore, PairedComparison
from relex.analysis.metrics import Probabilities, auprc, average_precision, micro_f1, score_table
from relex.analysis.resampling import Resampled, auprcs, interval, micro_f1s
from relex.analysis.slices import by_length, by_source, by_type_pair, confusions
from relex.examples import Example, Prediction


def judge(examples: Sequence[Example], predictions: Sequence[Prediction], labels: Sequence[str]) -> Judgement:
    """All figures of one model on one file.

    Args:
        examples: each with its gold label.
        predictions: one an example, in the same order.
        labels: the order of their probabilities.
    """
    gold, predicted = _gold(examples), _predicted(predictions)
    table = score_table(gold, predicted, labels)
    return Judgement(
        rows=len(examples),
        headline=_Measured(gold, predictions, labels).headline(),
        per_label=tuple(LabelScore(str(label), *scores) for label, *scores in table.itertuples()),
        by_type_pair=by_type_pair(examples, predicted),
        by_source=by_source(examples, predicted),
        by_length=by_length(examples, predicted),
        confusions=confusions(gold, predicted),
    )


def compare(
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
