"""What is said about how far a job may be believed, as text; nothing here reads or prints."""

from collections.abc import Iterator

from rich.text import Text

from relex.domain.calibration import Estimate
from relex.domain.drift import Drift, Level
from relex.domain.jobs import Job
from relex.domain.quality import Expected
from relex.errors import shortened

MIN_SHOWN = 0.05
"""Minimum percentage that is shown; a smaller one would be printed as 0.0."""
LEVEL_STYLES = {Level.NONE: "", Level.SOME: "yellow", Level.LARGE: "red"}


def quality_lines(job: Job) -> Iterator[Text]:
    """Yield the lines about a job's expected scores and its drift, as far as they are known."""
    if job.expected:
        yield from expected_lines(job.expected)
    if job.drift:
        yield from drift_lines(job.drift)


def expected_lines(expected: Expected) -> Iterator[Text]:
    """Yield the estimated scores, and a warning where they lie far below those of validation."""
    scores, style = expected.validation, "red" if expected.is_warning else ""
    yield Text(
        f"expected: accuracy {_interval(expected.accuracy)}, micro-F1 {_interval(expected.micro_f1)}; "
        f"validation {scores.accuracy:.1f} and {scores.micro_f1:.1f}",
        style,
    )
    if expected.is_warning:
        yield Text(
            f"warning: that is up to {expected.fall:.0f} points below validation, and the true fall may be larger: "
            "look at some rows before you rely on them",
            style,
        )


def drift_lines(drift: Drift) -> Iterator[Text]:
    """Yield the drift, and the categories that differ most where there is any."""
    style = LEVEL_STYLES[drift.level]
    test = "" if drift.auc is None else f"; two-sample AUC {drift.auc:.2f}"
    yield Text(f"drift: {drift.level}; PSI of {', '.join(_figures(drift))}{test}", style)
    if drift.unknown_types >= MIN_SHOWN:
        yield Text(f"  type pairs that the version never saw: {drift.unknown_types:.1f}% of the rows", style)
    for cell in drift.worst if drift.level is not Level.NONE else ():
        shares = f"{cell.actual:.1f}% of the rows, {cell.expected:.1f}% in validation"
        yield Text(f"  {cell.kind} {shortened(cell.name)}: {shares}", style)


def _figures(drift: Drift) -> Iterator[str]:
    yield f"type pairs {drift.psi_type_pairs:.2f}"
    if drift.psi_sources is not None:
        yield f"sources {drift.psi_sources:.2f}"
    yield f"lengths {drift.psi_lengths:.2f}"
    if drift.psi_predicted is not None:
        yield f"predicted labels {drift.psi_predicted:.2f}"


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"
