"""Drift: how much the rows of a job differ from the labeled rows that its model version was validated on.

Measured is the population stability index (PSI) of categories that every row has. A small file differs by chance: under
no drift PSI times the harmonic number of rows follows a chi-squared distribution with one degree of freedom less than
there are categories (Yurdakul 2018, "Statistical Properties of Population Stability Index"). A PSI counts only as far
as it exceeds what chance explains.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from math import log, sqrt
from typing import Any

from relex.domain.calibration import Calibration
from relex.domain.mix import LARGE, NO_SOURCE, OTHER_SOURCES, STABLE, psi

WORST_CELLS = 5
"""Number of categories that are named."""
DEVIATIONS = 2.0
"""Standard deviations above its mean up to which a PSI is explained by chance."""
DIGITS = 4
"""Decimal places of what is kept."""
MIN_TEST_ROWS = 100
"""Minimum number of rows on either side of the two-sample test: below it chance moves the AUC by more than 0.05."""
LARGE_AUC, SOME_AUC = 0.75, 0.65
"""AUC of the two-sample test from which a drift is large, or there is some."""


class Level(StrEnum):
    """How much a job has drifted, in rising order."""

    NONE = "none"
    SOME = "some"
    LARGE = "large"

    def reaches(self, other: "Level") -> bool:
        """Return whether this is at least the other level."""
        levels = list(Level)
        return levels.index(self) >= levels.index(other)


@dataclass(frozen=True, slots=True)
class Mix:
    """Counts of a job's rows by category, as those of a `Profile`."""

    type_pairs: Mapping[str, int]
    sources: Mapping[str, int]
    lengths: Mapping[str, int]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self.type_pairs.values())


@dataclass(frozen=True, slots=True)
class Cell:
    """A category whose share differs."""

    kind: str
    """What is counted, such as `type pair`."""
    name: str
    expected: float
    """Its share of the validation rows, x100."""
    actual: float
    """Its share of the job's rows, x100."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of a job's rows from the validation rows of its model version."""

    psi_type_pairs: float
    psi_lengths: float
    psi_sources: float | None
    """None where no source is in both: the job may name none, or give its own names."""
    unknown_types: float
    """Share (x100) of the rows whose type pair neither training nor validation rows have."""
    level: Level
    """The largest of all."""
    worst: tuple[Cell, ...]
    """Categories that add most to the PSIs, the worst first."""
    psi_predicted: float | None = None
    """PSI of the predicted labels; None before the job is done."""
    auc: float | None = None
    """How well a classifier separates the job's probabilities from those of the validation rows: 0.5 is not at all."""

    def to_data(self) -> dict[str, Any]:
        """Return the drift as plain data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Drift":
        """Read what `to_data` returned."""
        worst = tuple(Cell(**cell) for cell in data["worst"])
        return cls(**{**data, "level": Level(data["level"]), "worst": worst})

    def with_auc(self, auc: float) -> "Drift":
        """Return the drift with the result of the two-sample test."""
        tested = Level.LARGE if auc >= LARGE_AUC else Level.SOME if auc >= SOME_AUC else Level.NONE
        return replace(self, auc=round(auc, DIGITS), level=_highest(self.level, tested))


def measure_drift(calibration: Calibration, mix: Mix, predicted: Mapping[str, int] | None = None) -> Drift:
    """Compare the mix of a job, and its predicted labels once there are some, with the validation rows."""
    profile, seen = calibration.validated, {**calibration.trained.type_pairs, **calibration.validated.type_pairs}
    common = profile.sources.keys() & mix.sources.keys() - {NO_SOURCE, OTHER_SOURCES}
    parts = {
        "type pair": (profile.type_pairs, mix.type_pairs),
        "source": (profile.sources, mix.sources) if common else None,
        "length": (profile.lengths, mix.lengths),
        "predicted label": (profile.predicted, predicted) if predicted and profile.predicted else None,
    }
    measured = {kind: psi(*pair) if pair else None for kind, pair in parts.items()}
    pairs = {kind: pair for kind, pair in parts.items() if pair}
    unknown = sum(rows for name, rows in mix.type_pairs.items() if name not in seen)
    cells = sorted((cell for kind, pair in pairs.items() for cell in _cells(kind, *pair)), key=lambda each: -each[0])
    return Drift(
        psi_type_pairs=round(measured["type pair"] or 0.0, DIGITS),
        psi_lengths=round(measured["length"] or 0.0, DIGITS),
        psi_sources=_rounded(measured["source"]),
        unknown_types=round(100 * unknown / mix.rows, DIGITS),
        level=_highest(*(_level(*pair) for pair in pairs.values())),
        worst=tuple(cell for _, cell in cells[:WORST_CELLS]),
        psi_predicted=_rounded(measured["predicted label"]),
    )


def _level(expected: Mapping[str, int], actual: Mapping[str, int]) -> Level:
    """Return the level of the part of a PSI that chance does not explain."""
    freedom = len({*expected, *actual}) - 1
    by_chance = freedom + DEVIATIONS * sqrt(2 * freedom)
    excess = psi(expected, actual) - by_chance * (1 / sum(expected.values()) + 1 / sum(actual.values()))
    return Level.LARGE if excess >= LARGE else Level.SOME if excess >= STABLE else Level.NONE


def _cells(kind: str, expected: Mapping[str, int], actual: Mapping[str, int]) -> Iterator[tuple[float, Cell]]:
    """Yield each category that differs with what it adds to the PSI."""
    for name in {*expected, *actual}:
        shares = tuple(Counter(side)[name] / sum(side.values()) for side in (expected, actual))
        if shares[0] != shares[1]:
            yield _part(*shares), Cell(kind, name, *(round(100 * share, DIGITS) for share in shares))


def _part(expected: float, actual: float) -> float:
    """Return what a category adds to the PSI, but for the smoothing: categories are only ordered by it."""
    least = 1e-4
    low, high = max(expected, least), max(actual, least)
    return (high - low) * log(high / low)


def _highest(*levels: Level) -> Level:
    return max(levels, key=list(Level).index)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
