"""Scoring what an ended job left: its failed and cancelled shards, and on request the rows that ended as errors."""

from relex.db import ids, verbs
from relex.db.connection import Database
from relex.jobs import MaxFailed, Progress


def retry(database: Database, given: str, *, rows: bool, budget: MaxFailed | None = None) -> Progress:
    """Queue again what was not scored of a job, and tell how far it is; who scores is to be woken afterwards.

    Nothing that has a prediction is scored again. With `rows` each row error makes place for what becomes of the row
    now; `budget` is the job's error budget from now on.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        InvalidInput: it is a training run.
        RelexError: the job has not ended, or there is nothing to try again.
    """
    ids.refuse_run(given, "tried again")
    with database.transaction() as tx:
        return verbs.retry(tx, given, rows=rows, budget=budget)
