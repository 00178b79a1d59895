"""The metrics of KLUE-RE, computed once over all rows and never averaged over batches.

All are x100, as KLUE's leaderboard prints them (Park et al. 2021). Labels are names here, so that two files with
different label orders cannot be mixed up.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    auc,
    average_precision_score,
    f1_score,
    precision_recall_curve,
    precision_recall_fscore_support,
)

from relex.evaluation.intervals import ABSENT_AREA, interval, micro_f1s
from relex.labels import NO_RELATION

logger = logging.getLogger(__name__)

Probabilities = NDArray[np.floating]
"""Shape: [rows, labels], in the model's label order."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of a checkpoint on one labeled file, x100."""

    micro_f1: float
    micro_f1_interval: tuple[float, float]
    """95% CI of the bootstrap."""
    auprc: float
    average_precision: float
    """The same mean by the step rule instead of the trapezoid rule, which overrates sparse curves a little."""
    per_label: pd.DataFrame
    """Table as `score_table` makes it."""


def evaluation(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str]) -> Evaluation:
    """Compute all scores of one model on one file; a prediction is the most probable label."""
    predicted = [labels[index] for index in probabilities.argmax(axis=1)]
    return Evaluation(
        micro_f1=micro_f1(gold, predicted),
        micro_f1_interval=interval(micro_f1s(gold, predicted)),
        auprc=auprc(gold, probabilities, labels),
        average_precision=average_precision(gold, probabilities, labels),
        per_label=score_table(gold, predicted, labels),
    )


def micro_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Compute F1 over all relations together; a relation predicted for a row of no_relation is a false positive.

    It is 0 where no relation is predicted and no gold label is one.
    """
    relations = sorted({*gold, *predicted} - {NO_RELATION})
    if not relations:
        return 0.0
    return 100 * float(f1_score(gold, predicted, average="micro", labels=relations, zero_division=0))


def auprc(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str]) -> float:
    """Compute the unweighted mean over all labels of the area under the precision-recall curve.

    The area is that of the trapezoid rule, and no_relation is one of the labels. A label without gold rows counts 0.5
    and is named in a logged warning.
    """
    truth = np.array(gold)
    areas = [_area(truth == label, probabilities[:, index]) for index, label in enumerate(labels)]
    absent = [label for label in labels if label not in set(gold)]
    if absent:
        logger.warning("no gold row of %s: each counts %s in AUPRC", ", ".join(absent), ABSENT_AREA)
    return 100 * float(np.mean(areas))


def _area(is_gold: NDArray[np.bool_], probability: Probabilities) -> float:
    if not is_gold.any():
        return ABSENT_AREA
    precision, recall, _ = precision_recall_curve(is_gold, probability)
    return float(auc(recall, precision))


def average_precision(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str]) -> float:
    """Compute the unweighted mean of average precision over the labels that have a gold row."""
    truth = np.array(gold)
    present = [(truth == label, probabilities[:, index]) for index, label in enumerate(labels) if label in set(gold)]
    return 100 * float(np.mean([average_precision_score(is_gold, column) for is_gold, column in present]))


def score_table(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> pd.DataFrame:
    """Tabulate precision, recall and F1, x100, and the gold rows of each label, the most frequent first."""
    precision, recall, f1, support = precision_recall_fscore_support(
        gold, predicted, labels=list(labels), zero_division=0
    )
    columns = {"precision": 100 * precision, "recall": 100 * recall, "f1": 100 * f1, "support": support}
    table = pd.DataFrame(columns, index=pd.Index(labels, name="label"))
    return table.sort_values("support", ascending=False, kind="stable")
