"""What is said about how far a job may be believed: its drift when it is submitted, more when it is done.

All of it rests on the calibration of the job's model version. Without one nothing is claimed.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from relex.db import jobs, quality
from relex.db import model_versions as table
from relex.db.connection import Database, Transaction
from relex.domain.calibration import Calibration
from relex.domain.drift import MIN_TEST_ROWS, Drift, measure_drift
from relex.domain.jobs import Job, JobId, JobState
from relex.domain.quality import expect
from relex.errors import DatabaseUnreachable, RelexError

logger = logging.getLogger(__name__)

SAMPLE_ROWS = 500
"""Number of a job's predictions that the two-sample test looks at."""


class TwoSampleTest(Protocol):
    """A test of whether two samples of predictions come from the same kind of rows."""

    def __call__(self, sample: str, probabilities: Sequence[Sequence[float]], /) -> float | None:
        """Return the AUC of a classifier that separates them; None if one is too small.

        `sample` are the log-probabilities that a calibration keeps.
        """


LoadTest = Callable[[], TwoSampleTest]


def measure(tx: Transaction, job_id: JobId, model: str) -> Drift | None:
    """Measure and record how far a new job's rows have drifted; None if its model version is not calibrated."""
    calibration = table.calibration_of(tx, model)
    if calibration is None:
        return None
    drift = measure_drift(calibration, quality.count_mix(tx, job_id, calibration))
    quality.record_drift(tx, job_id, drift)
    return drift


def assess(database: Database, job_ref: str, load_test: LoadTest | None = None) -> bool:
    """Estimate the quality of a job that is done and measure its drift, unless that was recorded before.

    Args:
        database: where the job is.
        job_ref: an id, a unique prefix or `@last`.
        load_test: loads the two-sample test, which takes numpy; without it the drift rests on the counts alone.

    Returns:
        Whether something new is recorded.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
    """
    with database.transaction(snapshot=True) as tx:
        job = jobs.find(tx, job_ref)
        if not _is_open(job, load_test) or jobs.progress(tx, job).state is not JobState.DONE:
            return False
        calibration = table.calibration_of(tx, job.model)
        if calibration is None:
            return False
        scored, predicted = quality.count_scored(tx, job.id, table.find(tx, job.model).labels, calibration)
        if not scored.rows:
            return False
        drift = measure_drift(calibration, quality.count_mix(tx, job.id, calibration), predicted)
        sample = quality.sample_probabilities(tx, job.id, job.total, SAMPLE_ROWS) if load_test else []
    if auc := _auc(calibration, sample, load_test):
        drift = drift.with_auc(auc)
    with database.transaction() as tx:
        quality.record_assessment(tx, job, expect(calibration, scored), drift)
    return True


def assess_ended(database: Database, job_id: JobId, load_test: LoadTest) -> None:
    """Assess a job if its last shard has ended; what fails is logged and costs nobody a prediction."""
    try:
        assess(database, job_id, load_test)
    except DatabaseUnreachable:
        raise
    except RelexError as error:
        logger.warning("%s: its quality is not estimated: %s", job_id, error)


def _is_open(job: Job, load_test: LoadTest | None) -> bool:
    """Return whether there is more to say about a job."""
    if job.finished_at is None:
        return False
    is_tested = job.total < MIN_TEST_ROWS or (job.drift is not None and job.drift.auc is not None)
    return job.expected is None or (load_test is not None and not is_tested)


def _auc(calibration: Calibration, sample: Sequence[Sequence[float]], load_test: LoadTest | None) -> float | None:
    enough = load_test and calibration.sample and len(sample) >= MIN_TEST_ROWS
    return load_test()(calibration.sample, sample) if load_test and enough else None
