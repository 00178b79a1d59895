"""Comparing the predictions of two jobs of the same rows, for which no labels are needed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from relex.db import differences as table
from relex.db import model_versions
from relex.db.connection import Database, Transaction
from relex.db.differences import PairedJob
from relex.domain.calibration import Estimate
from relex.domain.differences import Confidences, Differences, expected_gain
from relex.domain.drift import Level
from relex.domain.jobs import Job
from relex.domain.versions import ModelVersion
from relex.errors import InvalidInput, counted
from relex.flows.results import find_exportable
from relex.hints import jobs as hints

ASSUMPTION = (
    "an estimate without labels: it assumes that the confidence of each version means the same for these rows as for "
    "its validation rows"
)
DIGITS = 2
"""Decimal places of a share or a gain."""


@dataclass(frozen=True, slots=True)
class JobDiff:
    """Two jobs of the same rows, what they predict differently, and what B may gain over A."""

    a: Job
    b: Job
    differences: Differences
    gain: Estimate | None
    """Accuracy of B less that of A, in points of 100; None where nothing can be claimed."""
    gain_unknown: str | None
    """Why nothing can be claimed of the gain; None if something is."""

    @property
    def unscored(self) -> int:
        """Number of rows that lack a prediction in one of the jobs; they are not compared."""
        return self.a.total - self.differences.rows

    @property
    def drifted(self) -> Iterator[tuple[Job, Level]]:
        """Yield the jobs whose rows differ from the validation rows of their version, and how much."""
        for job in (self.a, self.b):
            if job.drift and job.drift.level is not Level.NONE:
                yield job, job.drift.level


def diff(database: Database, a: str, b: str) -> JobDiff:
    """Compare the predictions of two finished jobs of the same rows, in one snapshot of the database.

    Rows are matched by their number, and must have the same sentence and entities in both jobs.

    Raises:
        JobNotFound, JobNotDone: as :func:`relex.flows.results.find_exportable`.
        InvalidInput: both are one job, or they do not hold the same rows.
    """
    with database.transaction(snapshot=True) as tx:
        first, second = (find_exportable(tx, ref, partial=False).job for ref in (a, b))
        _require_same_rows(tx, first, second)
        versions = [model_versions.find(tx, job.model) for job in (first, second)]
        paired = [
            PairedJob(job.id, version.labels, model_versions.confidence_curve(tx, job.model))
            for job, version in zip((first, second), versions, strict=True)
        ]
        differences, of_a, of_b = table.count_differences(tx, *paired)
    unknown = next(_reasons((first, second), versions, differences), None)
    return JobDiff(first, second, differences, None if unknown else _gain(of_a, of_b, differences), unknown)


def diff_data(job_diff: JobDiff) -> Mapping[str, Any]:
    """Return what two jobs predict differently as plain data."""
    a, b, differences = job_diff.a, job_diff.b, job_diff.differences
    return {
        "models": {"a": a.model, "b": b.model},
        "jobs": {"a": a.id, "b": b.id},
        "files": {"a": a.file_name, "b": b.file_name},
        "rows": differences.rows,
        "unscored": job_diff.unscored,
        "same": differences.same,
        "flips": differences.flips,
        "agreement": None if differences.agreement is None else round(differences.agreement, DIGITS),
        **asdict(differences),
        "expected_gain": {"accuracy": asdict(job_diff.gain), "assumes": ASSUMPTION} if job_diff.gain else None,
        "gain_unknown": job_diff.gain_unknown,
        "drift": {job.id: str(level) for job, level in job_diff.drifted},
    }


def _require_same_rows(tx: Transaction, a: Job, b: Job) -> None:
    if a.id == b.id:
        raise InvalidInput(f"both jobs are {a.id}: name two; {hints.list_jobs()}")
    if a.total != b.total:
        raise InvalidInput(
            f"{a.id} has {counted(a.total, 'row')} and {b.id} has {b.total:,}: compare jobs of the same rows"
        )
    count, first = table.other_rows(tx, a.id, b.id)
    if first is not None:
        raise InvalidInput(
            f"{a.id} and {b.id} do not hold the same rows: {count:,} of {a.total:,} differ, the first is row "
            f"{first + 1:,}; compare jobs of the same rows"
        )


def _reasons(jobs: tuple[Job, Job], versions: Sequence[ModelVersion], differences: Differences) -> Iterator[str]:
    """Yield the reasons why nothing can be claimed of the gain."""
    digests = {job.file_sha256 for job in jobs}
    if not differences.rows:
        yield "no row has a prediction in both jobs"
    for version in versions:
        if not version.calibrated:
            yield f"{version} has no calibration; {hints.calibrate(str(version))}"
        if any(file.sha256 in digests for file in version.trained_on or ()):
            yield f"{version} was trained on {jobs[0].file_name}, where its confidences are too high"


def _gain(a: Confidences | None, b: Confidences | None, differences: Differences) -> Estimate | None:
    if a is None or b is None:
        return None
    gain = expected_gain(a, b, differences.rows, differences.flips)
    return Estimate(round(gain.value, DIGITS), round(gain.low, DIGITS), round(gain.high, DIGITS))
