"""How far a job or a training run is, as Postgres counts it at this moment."""

from relex.db import ids, jobs, runs
from relex.db.connection import Database
from relex.jobs import Progress
from relex.runs import TrainingRun


def status(database: Database, given: str) -> Progress | TrainingRun:
    """The job or training run meant by an id, a unique prefix or `@last` (the newest of both).

    Raises:
        NotFound: there is nothing yet.
        JobNotFound: nothing goes by this id, or several do.
        RunNotFound: the same for an id that begins like a run's.
    """
    if given == ids.LAST:
        with database.transaction() as tx:
            given = ids.last_id(tx)
    return run_status(database, given) if ids.is_run(given) else job_status(database, given)


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


def newest_runs(database: Database, limit: int) -> list[TrainingRun]:
    """The newest training runs, newest first."""
    with database.transaction() as tx:
        return runs.newest(tx, limit)
