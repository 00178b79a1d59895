"""This process as a worker: the scorers it holds, one a model version, few at a time, and the loop over shards.

The scorer is named, not imported, and resolved on the first shard: Celery's parent process forks its children,
and CUDA cannot be used in a child whose parent has touched it. So the parent never loads torch.
"""

import logging
import pkgutil
from collections import OrderedDict
from collections.abc import Callable

from relex.db.connection import Database
from relex.errors import Transient
from relex.flows import models
from relex.flows.lease import LeaseTerms
from relex.flows.score import Scorer, Worker, score_next
from relex.logs import worker_name
from relex.settings import Settings
from worker.vitals import Pulse

logger = logging.getLogger(__name__)

MOST_LOADED = 2
"""Jobs of two model versions may take turns; a third evicts the one used longest ago."""


class Scorers:
    """Loads scorers as they are asked for."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._loaded: OrderedDict[tuple[str, bool], Scorer] = OrderedDict()

    def get(self, model: str, exact: bool) -> Scorer:
        """The scorer of the version `name@number`, in fp32 where it must be exact.

        Raises:
            BadCheckpoint: its files are not here, or not those that were registered.
        """
        wanted = (model, exact)
        if wanted not in self._loaded:
            folder = models.locate(self._database, self._settings, model)
            while len(self._loaded) >= MOST_LOADED:
                self._loaded.popitem(last=False)
            logger.info("loading %s%s", model, " (exact)" if exact else "")
            self._loaded[wanted] = pkgutil.resolve_name(self._settings.scorer)(folder, self._settings.device, exact)
        self._loaded.move_to_end(wanted)
        return self._loaded[wanted]


def this_worker(database: Database, settings: Settings, stopping: Callable[[], bool], slot: int = 0) -> Worker:
    """This process as the scoring flow sees it; `slot` is its number among the processes of its worker."""
    terms = LeaseTerms(settings.lease_seconds, settings.stall_seconds, stopping, Pulse(slot))
    return Worker(worker_name(), Scorers(database, settings).get, terms)


def score_some(database: Database, worker: Worker, most: int) -> int:
    """Score up to `most` shards and count them; stop early where none waits, on request, or without Postgres."""
    for count in range(most):
        try:
            if worker.terms.stopping() or not score_next(database, worker):
                return count
        except Transient as fault:
            logger.warning("%s", fault)
            return count
    return most
