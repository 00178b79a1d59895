"""Who judges predictions, and how what was found is written down; evaluate and compare both need it.

What a judge must do is said here, by its users (:class:`Judge`); `relex.evaluation.evaluator` fits it.
"""

import pkgutil
from collections.abc import Sequence
from typing import Protocol

from relex.domain.examples import Example, Prediction
from relex.evaluation.reports import EvaluationReport, PairedComparison

JUDGE = "relex.evaluation.evaluator"


class Evaluator(Protocol):
    """Judges predictions by the gold labels of their examples, which stand in the same order."""

    def judge(
        self, examples: Sequence[Example], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> EvaluationReport:
        """All figures of one model; `labels` is the order of its probabilities."""

    def compare(
        self,
        examples: Sequence[Example],
        a: tuple[Sequence[Prediction], Sequence[str]],
        b: tuple[Sequence[Prediction], Sequence[str]],
    ) -> PairedComparison:
        """Two models, each with its predictions and the label order of its probabilities."""


def load_evaluator() -> Evaluator:
    """The judge, which wakes numpy and scikit-learn.

    It is named, not imported: every command imports flows, and only those that judge shall wait for these two.
    """
    judge: Evaluator = pkgutil.resolve_name(JUDGE)
    return judge
