"""This process as a scoring worker: the scorers that it holds, one a model version, and the loop over shards.

The scorer is named, not imported, and resolved on the first shard: Celery's parent process forks its children, and CUDA
cannot be used in a child whose parent has touched it. So the parent never loads torch.
"""

import logging
from collections import OrderedDict
from math import inf
from time import monotonic

from relex import lazy
from relex.db.connection import Database
from relex.flows.lease import LeaseTerms
from relex.flows.score import Scorer, Worker, score_next
from relex.flows.unloadable import UnloadableModels
from relex.logs import worker_name
from relex.registry import model_versions
from relex.settings import Settings
from worker import shared

logger = logging.getLogger(__name__)

MAX_LOADED = 2
"""Jobs of two model versions may take turns; a third evicts the one used longest ago."""


class Scorers:
    """Loads scorers as they are asked for."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._loaded: OrderedDict[tuple[str, bool], Scorer] = OrderedDict()

    def get(self, model: str, exact: bool) -> Scorer:
        """Return the scorer of the version `name@number`, in fp32 where it must be exact.

        Raises:
            BadCheckpoint: its files are not here, or not those that were registered.
        """
        wanted = (model, exact)
        if wanted not in self._loaded:
            folder = model_versions.locate(self._database, self._settings, model)
            while len(self._loaded) >= MAX_LOADED:
                self._loaded.popitem(last=False)
            logger.info("loading %s%s", model, " (exact)" if exact else "")
            open_scorer = lazy.load_scorer_factory(self._settings.scorer)
            self._loaded[wanted] = open_scorer(folder, self._settings.device, exact)
        self._loaded.move_to_end(wanted)
        return self._loaded[wanted]


def scoring_worker(
    database: Database, settings: Settings, slot: int = 0, unloadable: UnloadableModels | None = None
) -> Worker:
    """Describe this process to the scoring flow; `slot` is its number among the processes of its worker."""
    heartbeat = shared.ProcessHeartbeat(slot)
    terms = LeaseTerms(settings.lease_seconds, settings.stall_seconds, shared.stopping, heartbeat)
    return Worker(worker_name(), Scorers(database, settings).get, terms, unloadable or UnloadableModels())


def score_waiting(database: Database, worker: Worker, seconds: float = inf) -> bool:
    """Score shards until none waits, for `seconds` at most, and return whether there was one.

    Raises:
        Transient: Postgres went away.
    """
    deadline = monotonic() + seconds
    scored = False
    while monotonic() < deadline and not worker.terms.stopping() and score_next(database, worker):
        scored = True
    return scored
