"""The bootstrap: how far a score might lie away on another file of the same kind (Efron and Tibshirani 1993).

Each resample draws as many rows as there are, with replacement. A seed always draws the same rows, so the scores of
two models under one seed are paired: what is hard in a resample is hard for both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relex.evaluation.metrics import ABSENT_AREA, RESAMPLES, Probabilities
from relex.labels import NO_RELATION

BLOCK = 50
"""Resamples that are in memory at once; must divide RESAMPLES."""

Resampled = NDArray[np.float64]
"""A score of each resample, x100. Shape: [RESAMPLES]."""
Draws = NDArray[np.int32]
"""How often each resample of a block holds each row. Shape: [rows, BLOCK]."""


def interval(scores: Resampled) -> tuple[float, float]:
    """Where 95 % of the resamples lie, by percentiles."""
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def micro_f1s(gold: Sequence[str], predicted: Sequence[str], seed: int = 0) -> Resampled:
    """Micro-F1 of every resample, as `metrics.micro_f1` has it."""
    truth, guess = np.array(gold), np.array(predicted)
    hits = ((truth == guess) & (truth != NO_RELATION)).astype(np.int64)
    sides = (truth != NO_RELATION).astype(np.int64) + (guess != NO_RELATION)
    scores = [200 * (hits @ draws) / np.maximum(sides @ draws, 1) for draws in _draws(len(truth), seed)]
    return np.concatenate(scores)


def auprcs(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str], seed: int = 0) -> Resampled:
    """AUPRC of every resample, as `metrics.auprc` has it: a label that a resample lacks counts 0.5 there.

    So on a file with few rows of some labels the resamples lie lower or higher than the file's own score.
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
    """One label's rows, the most probable first: the same in every resample, so they are sorted once.

    For each gold row it is known how many rows, and how many gold rows, have a higher probability (`above`) or one
    at least as high (`upto`): rows that share a probability pass the threshold together.
    """

    order: NDArray[np.intp]
    gold: NDArray[np.intp]
    """The gold rows, in that order. Shape of this and all that follow: [gold rows]."""
    rows_above: NDArray[np.intp]
    rows_upto: NDArray[np.intp]
    gold_above: NDArray[np.intp]
    gold_upto: NDArray[np.intp]


def _ranking(is_gold: NDArray[np.bool_], probability: Probabilities) -> _Ranking:
    order = np.argsort(-probability, kind="stable")
    gold = order[is_gold[order]]
    everybody, wanted = -probability[order], -probability[gold]
    return _Ranking(
        order=order,
        gold=gold,
        rows_above=np.searchsorted(everybody, wanted, "left"),
        rows_upto=np.searchsorted(everybody, wanted, "right"),
        gold_above=np.searchsorted(wanted, wanted, "left"),
        gold_upto=np.searchsorted(wanted, wanted, "right"),
    )


def _areas(draws: Draws, ranking: _Ranking) -> Resampled:
    """The area under each resample's precision-recall curve, which begins at recall 0, precision 1. Shape: [BLOCK].

    Recall grows at gold rows only, so the trapezoids are summed over those.
    """
    taken, found = _running(draws[ranking.order]), _running(draws[ranking.gold])
    before = _precision(found[ranking.gold_above], taken[ranking.rows_above])
    after = _precision(found[ranking.gold_upto], taken[ranking.rows_upto])
    heights = (draws[ranking.gold] * (before + after) / 2).sum(axis=0)
    total = found[-1]
    areas: Resampled = np.divide(heights, total, out=np.full(BLOCK, ABSENT_AREA), where=total > 0)
    return areas


def _running(draws: Draws) -> Draws:
    """How many were drawn of the first 0, 1, 2 ... rows. Shape: [rows + 1, BLOCK]."""
    running = np.zeros((len(draws) + 1, BLOCK), np.int32)
    draws.cumsum(axis=0, out=running[1:])
    return running


def _precision(found: Draws, taken: Draws) -> NDArray[np.float64]:
    """Of nothing it is 1."""
    precision: NDArray[np.float64] = np.divide(found, taken, out=np.ones(found.shape), where=taken > 0)
    return precision
