"""The calibration of a model version: what its probabilities meant on labeled rows, as plain data.

`evaluation.calibration` fits it from validation rows. This module applies it without numpy, so that `relex status` and
the workers' flows can use it.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice, pairwise
from math import inf, sqrt
from typing import Any

from relex.errors import BadCheckpoint

MAX_KNOTS = 50
"""Maximum number of knots of a curve."""
SCALE = 100
NORMAL_95 = 1.96
"""Standard deviations of a normal distribution on either side of the mean that hold 95 % of it."""
FORMAT = 1
"""Version of the file format."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Rows whose probability lies between two knots: how many they are, and the sum of their probabilities."""

    rows: int = 0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A rising, piecewise linear function from a model's probability to the share of such rows that are right.

    Below the first knot and above the last one it is constant. `replicates` are the values of the same curve fitted on
    bootstrap resamples of the validation rows: they say how far the curve itself is uncertain.
    """

    knots: tuple[float, ...]
    """Probabilities in rising order; at most `MAX_KNOTS`."""
    values: tuple[float, ...]
    """Value of the curve at each knot."""
    replicates: tuple[tuple[float, ...], ...] = ()
    """Values at the same knots, one tuple for each resample."""

    def __call__(self, probability: float) -> float:
        """Return the curve's value at a probability."""
        index = bisect_left(self.knots, probability)
        if index in (0, len(self.knots)):
            return self.values[min(index, len(self.knots) - 1)]
        (left, right), (low, high) = self.knots[index - 1 : index + 1], self.values[index - 1 : index + 1]
        return low + (high - low) * (probability - left) / (right - left)

    def lowest_with(self, value: float) -> float:
        """Return the lowest probability whose value is at least this one; infinity if there is none."""
        if value <= self.values[0]:
            return 0.0
        for (left, right), (low, high) in zip(pairwise(self.knots), pairwise(self.values), strict=True):
            if value <= high:
                return left + (right - left) * (value - low) / (high - low)
        return inf

    def total(self, buckets: Sequence[Bucket]) -> float:
        """Sum the curve over rows, given as one bucket below the first knot and one from each knot on."""
        return sum(self._sums(self.values, buckets))

    def totals(self, buckets: Sequence[Bucket]) -> list[float]:
        """Sum each replicate of the curve over the same rows."""
        return [sum(self._sums(values, buckets)) for values in self.replicates]

    def variance(self, buckets: Sequence[Bucket]) -> float:
        """Return the variance of the number of rows that are right, each by chance with the curve's probability.

        Within a bucket all rows count with its mean, which can only overstate it.
        """
        sums = self._sums(self.values, buckets)
        return sum(hits * (1 - hits / bucket.rows) for hits, bucket in zip(sums, buckets, strict=True) if bucket.rows)

    def _sums(self, values: Sequence[float], buckets: Sequence[Bucket]) -> list[float]:
        first, *rest = buckets
        sums = [first.rows * values[0]]
        for index, bucket in enumerate(rest):
            after = min(index + 1, len(values) - 1)
            width = self.knots[after] - self.knots[index]
            slope = (values[after] - values[index]) / width if width else 0.0
            sums.append(bucket.rows * (values[index] - slope * self.knots[index]) + slope * bucket.total)
        return sums


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts of a file's rows by category, against which drift is measured."""

    rows: int
    type_pairs: Mapping[str, int]
    sources: Mapping[str, int]
    """The most common ones; `mix.OTHER_SOURCES` are the rest."""
    lengths: Mapping[str, int]
    """By the names of `mix.length`."""
    labels: Mapping[str, int]
    """By gold label."""
    predicted: Mapping[str, int]
    """By predicted label; empty for training rows, which the model has seen."""


@dataclass(frozen=True, slots=True)
class ValidationRows:
    """What is kept of each validation row, the most confident first: enough to choose a threshold for any mix."""

    confidence: tuple[float, ...]
    """The highest probability of each row."""
    right: tuple[bool, ...]
    category: tuple[int, ...]
    """Position of the row's type pair and source in `categories`."""
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a model version's probabilities meant on its validation rows."""

    data_sha256: str
    """Digest of the validation file."""
    out_of_fold: bool
    """Whether each row was predicted by models that were not trained or chosen on it."""
    accuracy: float
    """Share of the validation rows whose label is right, x100."""
    micro_f1: float
    """Micro-F1 on the validation rows, x100."""
    confidence: Curve
    """From the highest probability to the share of rows whose label is right."""
    relation: Curve
    """The same for rows where a relation was predicted."""
    no_relation: Curve
    """From the probability of no_relation to the share of rows whose gold label it is."""
    validation: ValidationRows
    trained: Profile
    """The training rows."""
    validated: Profile
    """The validation rows."""
    sample: str = ""
    """Log-probabilities of some validation rows for the two-sample test: base64 of float16, one row after another."""

    def to_json(self) -> str:
        """Write the calibration as the text of `calibration.json`."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, separators=(",", ":")) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> "Calibration":
        """Read a calibration.

        Raises:
            BadCheckpoint: the text is not such a file; `where` names it.
        """
        try:
            return cls.from_data(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
            raise BadCheckpoint(f"{where}: not a calibration that this relex can read: {exc}; restore it") from exc

    @classmethod
    def from_data(cls, content: Mapping[str, Any]) -> "Calibration":
        """Read a calibration from plain data; raises ValueError or the like where it is none."""
        rest = dict(content)
        if rest.pop("format", None) != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        for name in ("confidence", "relation", "no_relation"):
            rest[name] = curve_of(rest[name])
        for name in ("trained", "validated"):
            rest[name] = Profile(**rest[name])
        rest["validation"] = ValidationRows(**{name: tuple(values) for name, values in rest["validation"].items()})
        calibration = cls(**rest)
        _check(calibration)
        return calibration


def _check(calibration: Calibration) -> None:
    """Check what a file claims: it may come from elsewhere, and its numbers decide what is said of every job."""
    for curve in (calibration.confidence, calibration.relation, calibration.no_relation):
        parts = (curve.knots, curve.values, *curve.replicates)
        distinct = all(left < right for left, right in pairwise(curve.knots))
        if not (distinct and {len(each) for each in parts} == {len(curve.knots) or 1} and all(map(_are_shares, parts))):
            raise ValueError("a curve has no place from 0 to 1 for each of its knots")
        if list(curve.values) != sorted(curve.values):
            raise ValueError("a curve falls")
    rows, scores = calibration.validation, (calibration.accuracy / SCALE, calibration.micro_f1 / SCALE)
    if len({len(rows.confidence), len(rows.right), len(rows.category)}) > 1:
        raise ValueError("its validation rows have parts of different lengths")
    if not (_are_shares(rows.confidence) and _are_shares(scores)):
        raise ValueError("a confidence or a score is out of its range")
    if not all(each in range(len(rows.categories)) for each in rows.category):
        raise ValueError("a category is not in its list")
    for profile in (calibration.trained, calibration.validated):
        counts = (profile.type_pairs, profile.sources, profile.lengths, profile.labels, profile.predicted)
        if not all(isinstance(each, int) and each >= 0 for part in counts for each in (profile.rows, *part.values())):
            raise ValueError("a count of its profile is no number")


def _are_shares(values: Sequence[float]) -> bool:
    """Return whether all are numbers from 0 to 1; NaN is none."""
    return all(isinstance(each, int | float) and 0 <= each <= 1 for each in values)


def curve_of(content: Mapping[str, Any]) -> Curve:
    """Read a curve from plain data."""
    return Curve(
        tuple(content["knots"]), tuple(content["values"]), tuple(tuple(values) for values in content["replicates"])
    )


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Counts of the predictions of a job, in the buckets of its version's curves."""

    rows: int
    relations: int
    """Rows where a relation was predicted."""
    confidence: tuple[Bucket, ...]
    """All rows by their highest probability, in the buckets of `Calibration.confidence`."""
    relation: tuple[Bucket, ...]
    """Rows where a relation was predicted, by their highest probability, in those of `Calibration.relation`."""
    no_relation: tuple[Bucket, ...]
    """All rows by their probability of no_relation, in the buckets of `Calibration.no_relation`."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score that is estimated without labels, x100, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ExpectedQuality:
    """The scores that a job's predictions may have, estimated from their probabilities alone.

    It assumes that a confidence means the same for these rows as for the validation rows.
    """

    accuracy: Estimate
    micro_f1: Estimate


def expected_quality(calibration: Calibration, rows: ScoredRows) -> ExpectedQuality:
    """Estimate accuracy and micro-F1 of scored rows.

    The expected number of true positives is the sum of the relation curve over the predicted relations, the expected
    number of gold relations the sum of 1 - the no_relation curve over all rows, and micro-F1 = 2 TP / (P + G). The
    interval covers the uncertainty of the curves (their replicates) and chance in the rows themselves.
    """
    curve, relation, no_relation = calibration.confidence, calibration.relation, calibration.no_relation
    right = curve.total(rows.confidence)
    hits, gold = relation.total(rows.relation), rows.rows - no_relation.total(rows.no_relation)
    f1 = _f1(hits, rows.relations, gold)
    sides = max(rows.relations + gold, 1.0)
    chance = sqrt(relation.variance(rows.relation) * (2 / sides) ** 2 + _gold_variance(calibration, rows, f1, sides))
    totals = relation.totals(rows.relation), no_relation.totals(rows.no_relation)
    # A curve without rows has one replicate, as that of a version that predicted no relation of the validation rows.
    pairs = islice(zip(*map(cycle, totals), strict=False), max(map(len, totals)))
    f1s = [_f1(hit, rows.relations, rows.rows - none) for hit, none in pairs]
    accuracies = [total / rows.rows for total in curve.totals(rows.confidence)]
    return ExpectedQuality(
        accuracy=_estimate(right / rows.rows, accuracies, sqrt(curve.variance(rows.confidence)) / rows.rows),
        micro_f1=_estimate(f1, f1s, chance),
    )


def _gold_variance(calibration: Calibration, rows: ScoredRows, f1: float, sides: float) -> float:
    """Return the part of micro-F1's variance that comes from the number of gold relations (delta method)."""
    return calibration.no_relation.variance(rows.no_relation) * (f1 / sides) ** 2


def _f1(hits: float, predicted: float, gold: float) -> float:
    return 2 * hits / (predicted + gold) if predicted + gold else 0.0


def _estimate(value: float, replicates: Sequence[float], chance: float) -> Estimate:
    """Return a share as an estimate x100; both sources of error are taken as independent and normal."""
    mean = sum(replicates) / len(replicates) if replicates else value
    spread = sum((each - mean) ** 2 for each in replicates) / max(len(replicates) - 1, 1)
    margin = NORMAL_95 * sqrt(spread + chance**2)
    return Estimate(SCALE * value, SCALE * max(value - margin, 0.0), SCALE * min(value + margin, 1.0))
