"""What is said about the predictions of a job: scores that are estimated without labels, beside those of validation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from relex.domain.calibration import Calibration, Estimate, ScoredRows, expected_quality

DIGITS = 2
"""Decimal places of a score."""
FALL = 5.0
"""Points below validation from which an estimate is a warning."""


@dataclass(frozen=True, slots=True)
class ValidationScores:
    """The scores of a model version on its validation rows, x100."""

    accuracy: float
    micro_f1: float


@dataclass(frozen=True, slots=True)
class Expected:
    """The scores that a job may have, x100, and those of its model version."""

    accuracy: Estimate
    micro_f1: Estimate
    validation: ValidationScores

    @property
    def fall(self) -> float:
        """Points by which the estimate lies below validation, the larger of both scores."""
        scores = self.validation
        return max(scores.accuracy - self.accuracy.value, scores.micro_f1 - self.micro_f1.value)

    @property
    def is_warning(self) -> bool:
        """Whether the estimate lies far below validation."""
        return self.fall >= FALL

    def to_data(self) -> dict[str, Any]:
        """Return the scores as plain data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Expected":
        """Read what `to_data` returned."""
        estimates = {name: Estimate(**data[name]) for name in ("accuracy", "micro_f1")}
        return cls(**estimates, validation=ValidationScores(**data["validation"]))


def expect(calibration: Calibration, rows: ScoredRows) -> Expected:
    """Estimate the scores of a job's predictions."""
    quality = expected_quality(calibration, rows)
    return Expected(
        _rounded(quality.accuracy),
        _rounded(quality.micro_f1),
        ValidationScores(round(calibration.accuracy, DIGITS), round(calibration.micro_f1, DIGITS)),
    )


def _rounded(estimate: Estimate) -> Estimate:
    return Estimate(round(estimate.value, DIGITS), round(estimate.low, DIGITS), round(estimate.high, DIGITS))
