"""Holding a job up, letting it go on, and changing its place in the queue. Shards in a worker's hands are finished."""

from relex.db import ids, verbs
from relex.db.connection import Database
from relex.jobs import Progress


def pause(database: Database, given: str) -> Progress:
    """Pause the job meant by an id, a unique prefix or `@last`, and tell how far it is.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        InvalidInput: it is a training run.
        RelexError: the job is paused already or has ended.
    """
    ids.refuse_run(given, "paused")
    with database.transaction() as tx:
        return verbs.pause(tx, given)


def resume(database: Database, given: str) -> Progress:
    """Let a paused job go on; who scores is to be woken afterwards.

    Raises:
        JobNotFound, InvalidInput: as :func:`pause`.
        RelexError: the job is not paused.
    """
    ids.refuse_run(given, "resumed")
    with database.transaction() as tx:
        return verbs.resume(tx, given)


def prioritize(database: Database, given: str, priority: int) -> Progress:
    """Let a job come before all of a lower priority, from its next shard on.

    Raises:
        JobNotFound, InvalidInput: as :func:`pause`.
        RelexError: the job has ended.
    """
    ids.refuse_run(given, "given a priority")
    with database.transaction() as tx:
        return verbs.prioritize(tx, given, priority)
