"""The progress of jobs and training runs, as Postgres counts it at this moment."""

from dataclasses import replace

from relex.db import ids, jobs, row_labels, runs
from relex.db.connection import Database
from relex.domain.jobs import JobState, Progress
from relex.domain.runs import TrainingRun
from relex.domain.sample_scores import SampleScores, sample_scores
from relex.flows.quality import assess


def status(database: Database, job_ref: str, lease_seconds: float = 0.0) -> Progress | TrainingRun:
    """Find the job or training run meant by an id, a unique prefix or `@last` (the newest job or run).

    `lease_seconds` is the length of the workers' leases; it decides which workers count as stalled.

    Raises:
        NotFound: there is nothing yet.
        JobNotFound: nothing goes by this id, or several do.
        RunNotFound: the same for an id that begins like a run's.
    """
    if job_ref == ids.LAST:
        with database.transaction() as tx:
            job_ref = ids.last_id(tx)
    return run_status(database, job_ref) if ids.is_run(job_ref) else job_status(database, job_ref, lease_seconds)


def job_status(database: Database, job_ref: str, lease_seconds: float = 0.0) -> Progress:
    """Return the progress of a job, with an estimate of its quality once it is done; raises JobNotFound."""
    with database.transaction(snapshot=True) as tx:
        progress = jobs.progress(tx, jobs.find(tx, job_ref), lease_seconds)
    job = progress.job
    if progress.state is not JobState.DONE or job.expected:
        return progress
    assess(database, job.id)
    with database.transaction() as tx:  # in any case: the worker that ended the job may have assessed it meanwhile
        return replace(progress, job=jobs.find(tx, job.id))


def labeled_scores(database: Database, progress: Progress) -> SampleScores | None:
    """Return what the labels that people gave to a job's rows say about all of it; None if there are none."""
    with database.transaction() as tx:
        return sample_scores(row_labels.of_job(tx, progress.job.id), progress.done - progress.failed)


def run_status(database: Database, job_ref: str) -> TrainingRun:
    """Return a training run with its progress; raises RunNotFound."""
    with database.transaction() as tx:
        return runs.find(tx, job_ref)


def newest_jobs(database: Database, limit: int, lease_seconds: float = 0.0) -> list[Progress]:
    """List the newest jobs with their progress, newest first."""
    with database.transaction(snapshot=True) as tx:
        return [jobs.progress(tx, job, lease_seconds) for job in jobs.newest(tx, limit)]


def newest_runs(database: Database, limit: int) -> list[TrainingRun]:
    """List the newest training runs, newest first."""
    with database.transaction() as tx:
        return runs.newest(tx, limit)
