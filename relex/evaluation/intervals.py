"""The bootstrap: how much a score may vary on another file of the same kind (Efron and Tibshirani 1993).

Each resample draws as many rows as there are, with replacement. The same seed always draws the
same rows, so the scores of two models under one seed are paired: a hard resample is hard for both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relex.evaluation.voting import Probabilities
from relex.labels import NO_RELATION

ABSENT_AREA = 0.5
"""The area of a label without gold rows: recall is 1 at every threshold and precision 0, then (0, 1) is added."""
RESAMPLES = 1_000
"""Number of resamples of the bootstrap."""
BLOCK = 50
"""Number of resamples in memory at once; it must divide RESAMPLES."""

Resampled = NDArray[np.float64]
"""One score for each resample, x100. Shape: [RESAMPLES]."""
Draws = NDArray[np.int32]
"""Number of times that each resample of a block holds each row. Shape: [rows, BLOCK]."""


def interval(scores: Resampled) -> tuple[float, float]:
    """Return the 95% CI of the resamples, by percentiles."""
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def micro_f1s(gold: Sequence[str], predicted: Sequence[str], seed: int = 0) -> Resampled:
    """Compute micro-F1 of every resample, as `metrics.micro_f1` defines it."""
    truth, guess = np.array(gold), np.array(predicted)
    hits = ((truth == guess) & (truth != NO_RELATION)).astype(np.int64)
    sides = (truth != NO_RELATION).astype(np.int64) + (guess != NO_RELATION)
    scores = [200 * (hits @ draws) / np.maximum(sides @ draws, 1) for draws in _draws(len(truth), seed)]
    return np.concatenate(scores)


def auprcs(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str], seed: int = 0) -> Resampled:
    """Compute AUPRC of every resample, as `metrics.auprc` defines it.

    A label that a resample lacks counts 0.5 there, so on a file with few rows of some labels the resamples may all be
    lower or higher than the file's own score.
    """
    truth = np.array(gold)
    rankings = [_ranking(truth == label, probabilities[:, index]) for index, label in enumerate(labels)]
    scores = [
        100 * np.mean([_areas(draws, ranking) for ranking in rankings], axis=0) for draws in _draws(len(truth), seed)
    ]
    return np.concatenate(scores)


def _draws(rows: int, seed: int) -> Iterator[Draws]:
    generator = np.random.default_rng(seed)
    first_cells = np.arange(BLOCK)[:, None] * rows
    for _ in range(RESAMPLES // BLOCK):
        cells = generator.integers(rows, size=(BLOCK, rows)) + first_cells
        counts = np.bincount(cells.ravel(), minlength=BLOCK * rows).reshape(BLOCK, rows)
        yield np.ascontiguousarray(counts.T, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class _Ranking:
    """One label's rows, the most probable first; the order is the same in every resample, so it is sorted once.

    For each gold row it counts the rows, and the gold rows, with a higher probability (`above`) or one at least as high
    (`upto`): rows with equal probabilities pass the threshold together.
    """

    order: NDArray[np.intp]
    gold: NDArray[np.intp]
    """The gold rows, in that order. Shape of this and of the following arrays: [gold rows]."""
    rows_above: NDArray[np.intp]
    rows_upto: NDArray[np.intp]
    gold_above: NDArray[np.intp]
    gold_upto: NDArray[np.intp]


def _ranking(is_gold: NDArray[np.bool_], probability: Probabilities) -> _Ranking:
    order = np.argsort(-probability, kind="stable")
    gold = order[is_gold[order]]
    all_rows, gold_rows = -probability[order], -probability[gold]
    return _Ranking(
        order=order,
        gold=gold,
        rows_above=np.searchsorted(all_rows, gold_rows, "left"),
        rows_upto=np.searchsorted(all_rows, gold_rows, "right"),
        gold_above=np.searchsorted(gold_rows, gold_rows, "left"),
        gold_upto=np.searchsorted(gold_rows, gold_rows, "right"),
    )


def _areas(draws: Draws, ranking: _Ranking) -> Resampled:
    """Compute the area under each resample's precision-recall curve. Shape: [BLOCK].

    The curve begins at recall 0, precision 1. Recall grows at gold rows only, so the trapezoids are summed over those.
    """
    predicted, hits = _running(draws[ranking.order]), _running(draws[ranking.gold])
    before = _precision(hits[ranking.gold_above], predicted[ranking.rows_above])
    after = _precision(hits[ranking.gold_upto], predicted[ranking.rows_upto])
    heights = (draws[ranking.gold] * (before + after) / 2).sum(axis=0)
    total = hits[-1]
    areas: Resampled = np.divide(heights, total, out=np.full(BLOCK, ABSENT_AREA), where=total > 0)
    return areas


def _running(draws: Draws) -> Draws:
    """Count the draws of the first 0, 1, 2 ... rows. Shape: [rows + 1, BLOCK]."""
    running = np.zeros((len(draws) + 1, BLOCK), np.int32)
    draws.cumsum(axis=0, out=running[1:])
    return running


def _precision(hits: Draws, predicted: Draws) -> NDArray[np.float64]:
    """Divide hits by predicted rows; the precision of nothing predicted is 1."""
    precision: NDArray[np.float64] = np.divide(hits, predicted, out=np.ones(hits.shape), where=predicted > 0)
    return precision
