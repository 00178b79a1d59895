"""The watch that every Celery worker keeps in its parent process: sweep, ring for what waits, pass on the end.

Doorbells get lost (Redis restarts, a worker dies with one in hand), so each worker looks by itself every few
seconds; no beat process is needed, and none can be forgotten.
"""

import logging
import os
import signal
import sys
from threading import Event, Thread
from typing import Any

from billiard.util import get_logger
from celery.signals import (
    celeryd_after_setup,
    celeryd_init,
    setup_logging,
    task_prerun,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from celery.worker import state

from relex import logs
from relex.db.connection import WORKER, Database
from relex.errors import InvalidConfig, RelexError, Transient
from relex.flows.sweep import sweep
from relex.settings import Settings
from worker import health, vitals
from worker.background import share_of_cores
from worker.dispatch import wake_scorers, wake_trainers

logger = logging.getLogger(__name__)

_left = Event()


def _log(**_: Any) -> None:
    """Log in relex' own form. Celery tells its end on stdout, in its own: only a person wants to read that."""
    logs.set_up(Settings.from_env().log_format)
    get_logger().propagate = True  # the pool tells of children that died
    if not sys.stdout.isatty():
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _share_cores(instance: Any, **_: Any) -> None:
    """Give each child its share of the cores; torch reads this when the child loads it."""
    os.environ.setdefault("OMP_NUM_THREADS", str(share_of_cores(instance.concurrency)))


def _hear_sigterm(**_: Any) -> None:
    """In a child: whoever ends a service may tell each of its processes; by default that kills one with a shard.

    Before a task, because the pool sets handlers of its own after a child is initialized.
    """
    signal.signal(signal.SIGTERM, vitals.end)


def _start(**_: Any) -> None:
    Thread(target=_watch, args=(Settings.from_env(),), name="watch", daemon=True).start()


def _end(**_: Any) -> None:
    _left.set()
    health.forget(Settings.from_env())


def database_url(settings: Settings) -> str:
    """The Postgres that all Celery workers share.

    Raises:
        InvalidConfig: none is named; the embedded one is for this machine alone.
    """
    if settings.database_url is None:
        raise InvalidConfig("RELEX_DATABASE_URL is not set: Celery workers need a Postgres that all of them can reach")
    return settings.database_url


def _watch(settings: Settings) -> None:
    database = Database(database_url(settings), WORKER)
    while True:
        try:
            _look(settings, database)
        except Transient as fault:
            logger.warning("%s", fault)
        except Exception:
            logger.exception("the sweep failed; the next one tries again")
        if _left.wait(settings.sweep_seconds):
            break
    database.close()


def _look(settings: Settings, database: Database) -> None:
    """Look once; a worker whose child was told to end, or whose tables are of another time, ends whole."""
    if vitals.stopping():
        state.should_stop = state.should_stop or os.EX_OK
        return
    try:
        waiting = sweep(database)
    except Transient:
        raise
    except RelexError as fault:
        logger.error("%s", fault)
        vitals.end()
        state.should_stop = 1
        return
    health.tell(settings)
    if waiting.shards:
        wake_scorers(settings, waiting.shards)
    if waiting.runs:
        wake_trainers(settings)


celeryd_init.connect(_log)  # before Celery warns of anything
setup_logging.connect(_log)  # who listens here keeps Celery from setting up its own
celeryd_after_setup.connect(_share_cores)
task_prerun.connect(_hear_sigterm)
worker_ready.connect(_start)
worker_shutting_down.connect(vitals.end)
worker_shutdown.connect(_end)
