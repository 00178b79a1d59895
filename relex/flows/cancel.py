"""Ending a job or a training run before its time.

No flag is set that somebody must look at: shards and runs get a new fencing token, so the next report of the worker
that has one is refused, and what it has of it is thrown away.
"""

from relex.db import ids, runs, verbs
from relex.db.connection import Database
from relex.jobs import Progress
from relex.runs import TrainingRun


def cancel(database: Database, given: str) -> Progress | TrainingRun:
    """Cancel what is meant by an id, a unique prefix or `@last` (the newest of jobs and runs); tell how far it got.

    Raises:
        NotFound: nothing goes by this id, or several do.
        RelexError: it has ended already.
    """
    with database.transaction() as tx:
        if given == ids.LAST:
            given = ids.last_id(tx)
        if not ids.is_run(given):
            return verbs.cancel(tx, given)
        runs.cancel(tx, runs.find(tx, given))
        return runs.find(tx, given)
