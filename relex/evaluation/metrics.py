"""How good predictions are: KLUE's two figures, computed once over all rows, never averaged over batches.

Both are x100, as KLUE's leaderboard prints them (Park et al. 2021). Labels are names here, so no order
of indices can go wrong between two files.
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

from relex.labels import NO_RELATION

ABSENT_AREA = 0.5
"""The area of a label with no gold row: recall is 1 at every threshold and precision 0, then (0, 1) is added."""
RESAMPLES = 1_000

logger = logging.getLogger(__name__)

Probabilities = NDArray[np.floating]
"""Shape: [rows, labels], in the model's label order."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a checkpoint does on one labelled file; every figure x100."""

    micro_f1: float
    micro_f1_interval: tuple[float, float]
    """95 % of the bootstrap's resamples lie inside."""
    auprc: float
    average_precision: float
    """The same mean with the step rule in place of the trapezoid, which flatters sparse curves a little."""
    per_label: pd.DataFrame
    """As `score_table` makes it."""


def evaluation(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str]) -> Evaluation:
    """All figures of one model on one file; a prediction is the most probable label."""
    predicted = [labels[index] for index in probabilities.argmax(axis=1)]
    return Evaluation(
        micro_f1=micro_f1(gold, predicted),
        micro_f1_interval=micro_f1_interval(gold, predicted),
        auprc=auprc(gold, probabilities, labels),
        average_precision=average_precision(gold, probabilities, labels),
        per_label=score_table(gold, predicted, labels),
    )


def micro_f1(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """F1 over all relations together; no_relation is no relation, and predicting one for it is a mistake.

    0 where nothing is predicted and nothing is there to find.
    """
    relations = sorted({*gold, *predicted} - {NO_RELATION})
    if not relations:
        return 0.0
    return 100 * float(f1_score(gold, predicted, average="micro", labels=relations, zero_division=0))


def micro_f1_interval(gold: Sequence[str], predicted: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile bootstrap of micro-F1 over rows: how far another such file might lie away."""
    truth, guess = np.array(gold), np.array(predicted)
    hits = (truth == guess) & (truth != NO_RELATION)
    sides = (truth != NO_RELATION).astype(int) + (guess != NO_RELATION)
    generator = np.random.default_rng(seed)
    figures = []
    for _ in range(RESAMPLES):
        rows = generator.integers(len(truth), size=len(truth))
        figures.append(200 * hits[rows].sum() / max(sides[rows].sum(), 1))
    low, high = np.percentile(figures, [2.5, 97.5])
    return float(low), float(high)


def auprc(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str]) -> float:
    """The area under each label's precision-recall curve by the trapezoid rule, the plain mean over all labels.

    no_relation is one of them. A label with no gold row counts 0.5 and is named in a logged warning.
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
    """The plain mean of each label's average precision, over the labels that have a gold row."""
    truth = np.array(gold)
    present = [(truth == label, probabilities[:, index]) for index, label in enumerate(labels) if label in set(gold)]
    return 100 * float(np.mean([average_precision_score(is_gold, column) for is_gold, column in present]))


def score_table(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> pd.DataFrame:
    """A row a label: precision, recall and F1 x100, support (gold rows); the most frequent label first."""
    precision, recall, f1, support = precision_recall_fscore_support(
        gold, predicted, labels=list(labels), zero_division=0
    )
    columns = {"precision": 100 * precision, "recall": 100 * recall, "f1": 100 * f1, "support": support}
    table = pd.DataFrame(columns, index=pd.Index(labels, name="label"))
    return table.sort_values("support", ascending=False, kind="stable")
