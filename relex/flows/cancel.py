"""Ending a training run before its time.

No flag is set that somebody must look at: the run gets a new fencing token, so the next report of the worker that
trains it is refused, and what it has is thrown away.
"""

from relex.db import ids, jobs, runs
from relex.db.connection import Database
from relex.errors import InvalidInput
from relex.runs import RunId


def cancel(database: Database, given: str) -> RunId:
    """Cancel the training run meant by an id, a unique prefix or `@last` (the newest of jobs and runs).

    Raises:
        NotFound: nothing goes by this id, or several do.
        InvalidInput: it is a job.
        RelexError: the run has ended already.
    """
    with database.transaction() as tx:
        if given == ids.LAST:
            given = ids.last_id(tx)
        if not ids.is_run(given):
            job_id = jobs.find(tx, given).id
            raise InvalidInput(f"{job_id} is a job: only training runs can be cancelled; `relex runs` lists them")
        run = runs.find(tx, given)
        runs.cancel(tx, run)
    return run.id
