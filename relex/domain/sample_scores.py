"""Scores of a whole job from those of its rows that a person labeled, with intervals that know how these were drawn.

Each row counts with the number of rows that it stands for: those of its stratum, over the labeled ones of its stratum
(Horvitz and Thompson 1952). Accuracy and micro-F1 are ratios of such sums; their variance is that of the linearized
ratio within the strata, with the correction for finite populations (Cochran 1977, "Sampling Techniques"). Rows of a
stratum that nobody has labeled yet are taken to be like those that were.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, sqrt

from relex.domain.calibration import NORMAL_95, SCALE, Estimate
from relex.domain.review import Stratum
from relex.labels import NO_RELATION

MIN_REPRESENTED = 0.9
"""Minimum share of a job's rows in strata with a labeled row; below it nothing is said of the job."""


@dataclass(frozen=True, slots=True)
class LabeledRow:
    """A scored row with the label that a person gave it."""

    gold: str
    predicted: str
    stratum: Stratum | None
    """How it was drawn; None if that is not known."""


@dataclass(frozen=True, slots=True)
class SampleScores:
    """What the labels that people gave to rows of a job say about all of its rows."""

    rows: int
    """Number of scored rows with a label."""
    counted: int
    """Number of them of which it is known how they were drawn."""
    accuracy: Estimate | None
    """Accuracy of the whole job; None if the labeled rows cannot stand for it."""
    micro_f1: Estimate | None


def sample_scores(rows: Sequence[LabeledRow], total: int) -> SampleScores | None:
    """Estimate the scores of a job from its labeled rows; None if there are none.

    Args:
        rows: the labeled rows that have a prediction.
        total: the number of rows of the job that have a prediction.
    """
    strata: dict[Stratum, list[LabeledRow]] = defaultdict(list)
    for row in rows:
        if row.stratum is not None:
            strata[row.stratum].append(row)
    counted = sum(map(len, strata.values()))
    stands = counted and sum(stratum.rows for stratum in strata) >= MIN_REPRESENTED * total
    accuracy = _ratio(strata, lambda row: float(row.gold == row.predicted), lambda _: 1.0) if stands else None
    micro_f1 = _ratio(strata, _hits, _sides) if stands else None
    return SampleScores(len(rows), counted, accuracy, micro_f1) if rows else None


def _hits(row: LabeledRow) -> float:
    return 2.0 * (row.gold == row.predicted != NO_RELATION)


def _sides(row: LabeledRow) -> float:
    return float((row.gold != NO_RELATION) + (row.predicted != NO_RELATION))


Value = Callable[[LabeledRow], float]


def _ratio(strata: dict[Stratum, list[LabeledRow]], above: Value, below: Value) -> Estimate:
    """Estimate the ratio of two sums over the job, with the interval of Wilson for the effective sample size."""
    weights = {stratum: stratum.rows / len(rows) for stratum, rows in strata.items()}
    denominator = sum(weights[stratum] * sum(map(below, rows)) for stratum, rows in strata.items())
    if not denominator:
        return Estimate(0.0, 0.0, 0.0 if all(weight == 1 for weight in weights.values()) else float(SCALE))
    ratio = sum(weights[stratum] * sum(map(above, rows)) for stratum, rows in strata.items()) / denominator
    residuals = {stratum: [above(row) - ratio * below(row) for row in rows] for stratum, rows in strata.items()}
    variance = _variance(residuals) / denominator**2
    effective = ratio * (1 - ratio) / variance if variance else _kish(strata)
    return _wilson(ratio, effective)


def _variance(residuals: dict[Stratum, list[float]]) -> float:
    """Return the variance of a weighted sum.

    The variance within a stratum is that of its rows and of one more, of the mean variance: a stratum of a single
    labeled row, or of rows that happen to be all alike, is not taken to be certain.
    """
    squares = {stratum: _squares(values) for stratum, values in residuals.items()}
    pooled = sum(squares.values()) / max(sum(len(values) - 1 for values in residuals.values()), 1)
    total = 0.0
    for stratum, values in residuals.items():
        drawn = len(values)
        missing = max(1 - drawn / stratum.rows, 0.0)
        total += stratum.rows**2 * missing * (squares[stratum] + pooled) / drawn / drawn
    return total


def _squares(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)


def _kish(strata: dict[Stratum, list[LabeledRow]]) -> float:
    """Return the number of equally weighted rows that would be as precise (Kish 1965); infinity if all are labeled."""
    partial = {stratum: rows for stratum, rows in strata.items() if len(rows) < stratum.rows}
    sum_of_squares = sum(stratum.rows**2 / len(rows) for stratum, rows in partial.items())
    return sum(stratum.rows for stratum in strata) ** 2 / sum_of_squares if partial else inf


def _wilson(share: float, size: float) -> Estimate:
    """Return a share with its 95 % interval (Wilson 1927) for a number of rows that need not be whole."""
    square = NORMAL_95**2 / size
    center = (share + square / 2) / (1 + square)
    margin = sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    low, high = min(center - margin, share), max(center + margin, share)
    return Estimate(SCALE * share, SCALE * max(low, 0.0), SCALE * min(high, 1.0))
