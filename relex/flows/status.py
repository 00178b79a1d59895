"""How far a job or a training run is, as Postgres counts it at this moment."""

from relex.db import jobs, runs
from relex.db.connection import Database
from relex.jobs import Progress
from relex.runs import TrainingRun


def status(database: Database, given: str) -> Progress | TrainingRun:
    """The job or training run meant by an id, a unique prefix or `@last` (the newest job).

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        RunNotFound: the same for an id that begins like a run's.
    """
    return run_status(database, given) if given.startswith("r-") else job_status(database, given)


def job_status(database: Database, given: str) -> Progress:
    """How far a job is; raises JobNotFound."""
    with database.transaction(snapshot=True) as tx:
        return jobs.progress(tx, jobs.find(tx, given))


def run_status(database: Database, given: str) -> TrainingRun:
    """How far a training run is; raises RunNotFound."""
    with database.transaction() as tx:
        return runs.find(tx, given)


def newest_jobs(database: Database, limit: int) -> list[Progress]:
    """The newest jobs with their progress, newest first."""
    with database.transaction(snapshot=True) as tx:
        return [jobs.progress(tx, job) for job in jobs.newest(tx, limit)]
