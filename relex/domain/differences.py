"""What two jobs of the same rows predict differently, and what that may gain; none of it needs labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import variance

from relex.domain.calibration import NORMAL_95, SCALE, Bucket, Curve, Estimate


@dataclass(frozen=True, slots=True)
class LabelPair:
    """The number of rows that A gives one label and B another."""

    a: str
    b: str
    rows: int


@dataclass(frozen=True, slots=True)
class LabelFlips:
    """The rows that A or B gives one label."""

    label: str
    both: int
    """Rows that both give it."""
    only_a: int
    """Rows that A gives it and B does not."""
    only_b: int
    """Rows that B gives it and A does not."""


@dataclass(frozen=True, slots=True)
class TypePairFlips:
    """The rows of one type pair, and how many of them the two label differently."""

    type_pair: str
    rows: int
    flips: int


@dataclass(frozen=True, slots=True)
class Differences:
    """The differences of two jobs' predictions, counted over the rows that have a prediction in both."""

    label_pairs: tuple[LabelPair, ...]
    """Every pair of different labels that occurs, the most frequent first."""
    by_label: tuple[LabelFlips, ...]
    """Every label that is predicted, those with the most flips first."""
    by_type_pair: tuple[TypePairFlips, ...]
    """Every type pair, those with the most flips first."""

    @property
    def rows(self) -> int:
        """Number of rows that have a prediction in both jobs."""
        return self.same + self.flips

    @property
    def same(self) -> int:
        """Number of rows that both label equally."""
        return sum(each.both for each in self.by_label)

    @property
    def flips(self) -> int:
        """Number of rows that the two label differently."""
        return sum(pair.rows for pair in self.label_pairs)

    @property
    def agreement(self) -> float | None:
        """Share of the rows that both label equally, x100; None without rows."""
        return SCALE * self.same / self.rows if self.rows else None


def differences_of(pairs: Sequence[LabelPair], type_pairs: Sequence[TypePairFlips]) -> Differences:
    """Order the counts of label pairs, equal ones included, and of type pairs: the most flips first."""
    labels = sorted({label for pair in pairs for label in (pair.a, pair.b)})
    by_label = [_flips_of(label, pairs) for label in labels]
    flipped = [pair for pair in pairs if pair.a != pair.b]
    return Differences(
        label_pairs=tuple(sorted(flipped, key=lambda pair: (-pair.rows, pair.a, pair.b))),
        by_label=tuple(sorted(by_label, key=lambda each: -each.only_a - each.only_b)),
        by_type_pair=tuple(sorted(type_pairs, key=lambda each: (-each.flips, -each.rows, each.type_pair))),
    )


def _flips_of(label: str, pairs: Sequence[LabelPair]) -> LabelFlips:
    both = sum(pair.rows for pair in pairs if pair.a == pair.b == label)
    a, b = (sum(pair.rows for pair in pairs if getattr(pair, side) == label) for side in ("a", "b"))
    return LabelFlips(label, both, a - both, b - both)


@dataclass(frozen=True, slots=True)
class Confidences:
    """The confidence of one job's rows, in the buckets of the curve that calibrates it."""

    curve: Curve
    buckets: tuple[Bucket, ...]


def expected_gain(a: Confidences, b: Confidences, rows: int, flips: int) -> Estimate:
    """Estimate the accuracy of B less that of A on the same rows, in points of 100, with its 95 % interval.

    The estimate is the mean difference of the two calibrated confidences. It is taken over all rows and not over the
    flips alone, because a calibrated confidence is right on average over all rows: where the models disagree, both are
    right less often than their confidences say.

    The interval covers the uncertainty of both curves (their replicates, taken as independent: two calibrations on one
    file rather err together, which makes the true interval shorter) and chance in the rows: a row that both label
    equally gains nothing, and the gain of a flip is -1, 0 or 1, with a variance of at most 1.
    """
    value = (b.curve.total(b.buckets) - a.curve.total(a.buckets)) / rows
    spread = sum(_variance(each.curve.totals(each.buckets)) for each in (a, b))
    margin = NORMAL_95 * sqrt(spread + flips) / rows
    return Estimate(*(SCALE * each for each in (value, max(value - margin, -1.0), min(value + margin, 1.0))))


def _variance(totals: Sequence[float]) -> float:
    return variance(totals) if len(totals) > 1 else 0.0
