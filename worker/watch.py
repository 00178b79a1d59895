"""The watch that every Celery worker keeps in its parent process: sweep, ring for what waits, pass on the end.

Doorbells get lost (Redis restarts, a worker dies with one in hand), so each worker looks by itself every few
seconds; no beat process is needed, and none can be forgotten.
"""

import logging
import os
from threading import Event, Thread
from typing import Any

from billiard import Event as SharedEvent
from celery.signals import celeryd_after_setup, worker_ready, worker_shutdown, worker_shutting_down

from relex.db.connection import Database
from relex.errors import InvalidConfig, Transient
from relex.flows.sweep import sweep
from relex.settings import Settings
from worker.background import share_of_cores
from worker.dispatch import wake_scorers, wake_trainers

logger = logging.getLogger(__name__)

_shutting_down = SharedEvent()  # made before the fork, so that the children see what the parent sets
_left = Event()


def stopping() -> bool:
    """Whether this process should give back what it holds, asked between batches."""
    return bool(_shutting_down.is_set())


def _share_cores(instance: Any, **_: Any) -> None:
    """Give each child its share of the cores; torch reads this when the child loads it."""
    os.environ.setdefault("OMP_NUM_THREADS", str(share_of_cores(instance.concurrency)))


def _start(**_: Any) -> None:
    Thread(target=_watch, args=(Settings.from_env(),), name="watch", daemon=True).start()


def _pass_on(**_: Any) -> None:
    _shutting_down.set()


def _end(**_: Any) -> None:
    _left.set()


def database_url(settings: Settings) -> str:
    """The Postgres that all Celery workers share.

    Raises:
        InvalidConfig: none is named; the embedded one is for this machine alone.
    """
    if settings.database_url is None:
        raise InvalidConfig("RELEX_DATABASE_URL is not set: Celery workers need a Postgres that all of them can reach")
    return settings.database_url


def _watch(settings: Settings) -> None:
    database = Database(database_url(settings))
    while not _left.wait(settings.sweep_seconds):
        try:
            waiting = sweep(database)
            if waiting.shards:
                wake_scorers(settings, waiting.shards)
            if waiting.runs:
                wake_trainers(settings)
        except Transient as fault:
            logger.warning("%s", fault)
        except Exception:
            logger.exception("the sweep failed; the next one tries again")
    database.close()


celeryd_after_setup.connect(_share_cores)
worker_ready.connect(_start)
worker_shutting_down.connect(_pass_on)
worker_shutdown.connect(_end)
