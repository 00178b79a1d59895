"""The loop of a Celery worker, in a thread of its parent process: it sweeps, and dispatches the queued work.

Doorbells get lost (Redis restarts, a worker dies with one in hand), so each worker polls every few seconds;
no beat process is needed, and none can be forgotten.
"""

import logging
import os
import signal
import sys
from collections.abc import Collection
from threading import Thread
from typing import Any

from billiard import current_process
from billiard.util import get_logger
from celery.signals import (
    celeryd_after_setup,
    celeryd_init,
    setup_logging,
    task_prerun,
    worker_process_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from celery.worker import state

from relex import logs
from relex.errors import InvalidConfig, RelexError
from relex.flows.sweep import Waiting
from relex.settings import Settings
from worker import heartbeat, shared
from worker.background import TRAIN, share_of_cores
from worker.dispatch import notify_scorers
from worker.loop import Loop, Pace
from worker.training import TrainingProcesses

logger = logging.getLogger(__name__)


class Dispatcher:
    """The work of a Celery worker's parent: shards for its children and others, runs for its training processes."""

    def __init__(self, settings: Settings, queues: Collection[str]) -> None:
        self._settings = settings
        self._training = TrainingProcesses(settings) if TRAIN in queues else None

    def run_once(self, waiting: Waiting) -> bool:
        """Notify scorers of waiting shards and start processes for waiting runs; this thread does none of it itself."""
        if shared.stopping():  # a child was asked to stop, so the whole worker stops
            return False
        if self._training:
            self._training.start(waiting.runs)
        if waiting.shards:
            notify_scorers(self._settings, waiting.shards)
        return False

    def unloadable(self) -> Collection[str]:
        """Return nothing: each child tracks what it cannot load."""
        return ()

    def close(self) -> None:
        """Stop the training processes, which release their runs."""
        if self._training:
            self._training.stop()


class Watch:
    """The thread that runs the loop, with the settings and queues of its worker."""

    def __init__(self) -> None:
        self._settings = Settings.from_env()
        self._queues: frozenset[str] = frozenset()
        self._thread = Thread(target=self._run, name="watch", daemon=True)

    def set_up(self, instance: Any, **_: Any) -> None:
        """Record the queues, and give each process its share of the cores; torch reads this when a child loads it."""
        self._queues = frozenset(instance.app.amqp.queues.consume_from)
        processes = max(instance.concurrency, self._settings.training_processes)
        os.environ.setdefault("OMP_NUM_THREADS", str(share_of_cores(processes)))

    def start(self, **_: Any) -> None:
        """Start the loop."""
        self._thread.start()

    def end(self, **_: Any) -> None:
        """Stop the loop, wait until it has ended, and remove the health file."""
        shared.request_stop()
        if self._thread.ident is not None:
            self._thread.join()
        heartbeat.remove(self._settings)

    def _run(self) -> None:
        """Run the loop; when it ends, the whole worker stops."""
        status = 1
        try:
            database_url(self._settings)
            pace = Pace(poll_seconds=self._settings.sweep_seconds)
            Loop(self._settings, lambda _: Dispatcher(self._settings, self._queues), pace).run()
            status = os.EX_OK
        except RelexError as error:
            logger.error("%s", error)
        finally:
            shared.request_stop()
            state.should_stop = state.should_stop or status


def database_url(settings: Settings) -> str:
    """Return the Postgres that all Celery workers share.

    Raises:
        InvalidConfig: RELEX_DATABASE_URL is not set; the embedded Postgres serves this machine only.
    """
    if settings.database_url is None:
        raise InvalidConfig("RELEX_DATABASE_URL is not set: Celery workers need a Postgres that all of them can reach")
    return settings.database_url


def _log(**_: Any) -> None:
    """Log in relex' own format; what Celery prints on stdout is shown only on a terminal."""
    logs.configure_logging(Settings.from_env().log_format)
    get_logger().propagate = True  # the pool logs which children died
    if not sys.stdout.isatty():
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop_on_sigterm(**_: Any) -> None:
    """Stop on SIGTERM in a child: service managers signal each process, and the default would kill it with a shard.

    Before a task, because the pool sets handlers of its own after a child is initialized.
    """
    signal.signal(signal.SIGTERM, shared.request_stop)


def _forget_predecessor(**_: Any) -> None:
    """Reset the slot of a new child: its predecessor may have been killed while it held a shard."""
    shared.ProcessHeartbeat(getattr(current_process(), "index", 0))


_watch = Watch()

celeryd_init.connect(_log)  # before Celery warns of anything
setup_logging.connect(_log)  # a handler here keeps Celery from setting up its own logging
celeryd_after_setup.connect(_watch.set_up)
worker_process_init.connect(_forget_predecessor)
task_prerun.connect(_stop_on_sigterm)
worker_ready.connect(_watch.start)
worker_shutting_down.connect(shared.request_stop)
worker_shutdown.connect(_watch.end)
