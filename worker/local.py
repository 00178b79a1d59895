"""The worker without Celery, which runs in the background where no broker is configured.

`python -m worker.local score 0` ends by itself when nothing has waited for a while, `... train 0` as soon as no run
waits. The number is a slot: one process a slot of a home folder, held apart by a lock that dies with its owner.
"""

import logging
import os
import signal
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from math import inf

from relex import lazy, logs
from relex.db.connection import WORKER, Database
from relex.embedded import locks
from relex.errors import RelexError
from relex.flows.database import open_database
from relex.flows.score import UnloadableModels
from relex.flows.sweep import Waiting, sweep
from relex.flows.train import train_next
from relex.settings import Settings
from worker import heartbeat, shared
from worker.background import SCORE, STAY, WITH_PARENT, lock_of, revive
from worker.loop import POLL_SECONDS, RETRY_SECONDS, Loop, Pace, Work
from worker.scorers import score_waiting, scoring_worker

logger = logging.getLogger(__name__)

STALLED = 75
"""The exit code of a training process that made no progress: sysexits' EX_TEMPFAIL."""


class Scoring:
    """Work that scores shards in this process; a training run that waits gets a process of its own."""

    def __init__(self, database: Database, settings: Settings, unloadable: UnloadableModels) -> None:
        self._database = database
        self._settings = settings
        self._unloadable = unloadable
        self._worker = scoring_worker(database, settings, unloadable=unloadable)

    def run_once(self, waiting: Waiting) -> bool:
        """Score until the next sweep is due."""
        revive(self._settings, Waiting(shards=0, runs=waiting.runs))
        return score_waiting(self._database, self._worker, self._settings.sweep_seconds)

    def unloadable(self) -> Collection[str]:
        """Return the model versions that this process failed to load recently."""
        return self._unloadable.names()

    def close(self) -> None:
        """Do nothing: no process is left running."""


class Training:
    """Work that executes training runs in this process, one after another."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def run_once(self, waiting: Waiting) -> bool:
        """Execute a run if one waits."""
        if not waiting.runs:
            return False
        trainer, parity_check = lazy.load_trainer(self._settings.device), lazy.load_parity_check(self._settings.device)
        return train_next(self._database, trainer, self._settings, shared.stopping, parity_check, on_stall=_end_process)

    def unloadable(self) -> Collection[str]:
        """Return nothing: runs are not pinned to a model version."""
        return ()

    def close(self) -> None:
        """Do nothing: no process is left running."""


def _end_process() -> None:
    """End a training process that hangs, which frees its slot; another process resumes the run."""
    os._exit(STALLED)


class LocalWorker:
    """The process in one slot of a queue, which works until it is idle or asked to stop."""

    def __init__(self, settings: Settings, queue: str, slot: int, *, stay: bool) -> None:
        self._settings = settings
        self._queue = queue
        self._slot = slot
        self._stay = stay
        self._unloadable = UnloadableModels()
        # A training process holds much memory and is quickly started: it does not linger.
        idle_seconds = settings.idle_seconds if queue == SCORE else 0.0
        self._loop = Loop(settings, self._open_work, Pace(inf if stay else idle_seconds))

    def run(self) -> None:
        """Work while nobody else does in this slot.

        Work that is queued while this process is about to end must not be forgotten: its sender saw that the
        lock was taken and started no process. So this looks once more after it has released the lock.

        Raises:
            Transient: a service went away; a process that stays tries again instead.
        """
        if self._stay:
            logger.info("relex worker on the queue %s: waits for work until Ctrl-C or SIGTERM", self._queue)
        again = True
        while again and not shared.stopping():
            with self._slot_lock() as acquired:
                if acquired:
                    self._loop.run()
            again = self._stay or (acquired and self._something_waits())
            if again:
                shared.wait(POLL_SECONDS)

    @contextmanager
    def _slot_lock(self) -> Iterator[bool]:
        """Yield whether this process has the slot; with a broker, the leases of runs keep processes apart."""
        if self._settings.broker_url:
            yield True
            return
        with locks.try_exclusive(lock_of(self._settings, self._queue, self._slot)) as acquired:
            if not acquired and self._stay:
                logger.info("waiting: a background process of this machine is at work already")
                heartbeat.write(self._settings)
                shared.wait(RETRY_SECONDS)
            yield acquired

    def _open_work(self, database: Database) -> Work:
        if self._queue == SCORE:
            return Scoring(database, self._settings, self._unloadable)
        return Training(database, self._settings)

    def _something_waits(self) -> bool:
        with open_database(self._settings, WORKER) as database:
            waiting = sweep(database, self._unloadable.names())
        return (waiting.shards if self._queue == SCORE else waiting.runs) > 0


def main(arguments: list[str]) -> int:
    """Work through a queue: its name, the slot, and a flag of `worker.background`."""
    queue, slot, *flags = arguments
    settings = Settings.from_env()
    logs.configure_logging(settings.log_format)
    for flag in flags:
        if flag.startswith(WITH_PARENT):
            shared.stop_with_parent(int(flag.removeprefix(WITH_PARENT)))
    signal.signal(signal.SIGTERM, shared.request_stop)
    signal.signal(signal.SIGINT, shared.request_stop)
    try:
        LocalWorker(settings, queue, int(slot), stay=STAY in flags).run()
    except RelexError as error:
        logger.error("%s", error)
        return 1
    finally:
        if STAY in flags:
            heartbeat.remove(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
