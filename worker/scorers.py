"""Scoring in this process: the loaded scorers, one per model version, and the loop over shards.

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
from relex.flows.score import Scorer, UnloadableModels, Worker, score_next
from relex.logs import worker_name
from relex.registry import model_versions
from relex.settings import Settings
from worker import shared

logger = logging.getLogger(__name__)

MAX_LOADED = 2
"""Maximum number of loaded scorers: jobs of two versions may alternate; a third evicts the least recently used."""


class Scorers:
    """A cache of loaded scorers, which evicts the least recently used."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._loaded: OrderedDict[tuple[str, bool], Scorer] = OrderedDict()

    def get(self, model: str, exact: bool) -> Scorer:
        """Return the scorer of the version `name@number`, in fp32 where it must be exact.

        Raises:
            BadCheckpoint: its files are missing, or differ from those that were registered.
        """
        key = (model, exact)
        if key not in self._loaded:
            folder = model_versions.locate(self._database, self._settings, model)
            while len(self._loaded) >= MAX_LOADED:
                self._loaded.popitem(last=False)
            logger.info("loading %s%s", model, " (exact)" if exact else "")
            open_scorer = lazy.load_scorer_factory(self._settings.scorer)
            self._loaded[key] = open_scorer(folder, self._settings.device, exact)
        self._loaded.move_to_end(key)
        return self._loaded[key]


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
