"""The same work without Celery: what the embedded default runs in the background.

`python -m worker.local score 0` ends by itself when nothing has waited for a while, `... train 0` as soon as no run
waits. The number is a slot: one process a slot of a home folder, held apart by a lock that dies with its owner.
"""

import logging
import signal
import sys
from collections.abc import Callable
from threading import Event
from time import monotonic

from relex.db.connection import Database
from relex.embedded import locks
from relex.errors import RelexError
from relex.flows.database import open_database
from relex.flows.sweep import Waiting, sweep
from relex.flows.train import train_next
from relex.settings import Settings
from worker.app import SCORE
from worker.dispatch import STAY, lock_of, wake_trainers
from worker.scorers import load_trainer, score_some, this_worker

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5

Step = Callable[[Waiting], bool]
"""Does some of what waits; whether there was anything to do."""


class LocalWorker:
    """The process in one slot of a queue, which works until it is idle or told to end."""

    def __init__(self, settings: Settings, queue: str, slot: int, *, stay: bool) -> None:
        self._settings = settings
        self._queue = queue
        self._lock = lock_of(settings, queue, slot)
        # A training process holds much memory and is quickly started: it does not linger.
        patience = settings.idle_seconds if queue == SCORE else 0.0
        self._idle_seconds = float("inf") if stay else patience
        self._ending = Event()

    def end(self, *_: object) -> None:
        """Give back what is held and end: the handler of SIGTERM and SIGINT."""
        self._ending.set()

    def run(self) -> None:
        """Work while nobody else does in this slot.

        Work that is queued while this process is about to end must not be forgotten: its sender saw the lock held
        and started nobody. So there is one more look after the lock is given up.
        """
        worked = True
        while worked and not self._ending.is_set():
            with locks.alone_now(self._lock) as held:
                worked = held and self._work()

    def _work(self) -> bool:
        """Work until nothing has waited for a while; whether there was anything to do."""
        worked_at, worked = monotonic(), False
        with open_database(self._settings) as database:
            step = self._scoring(database) if self._queue == SCORE else self._training(database)
            while not self._ending.is_set():
                if step(sweep(database)):
                    worked_at, worked = monotonic(), True
                elif monotonic() - worked_at >= self._idle_seconds:
                    break
                else:
                    self._ending.wait(POLL_SECONDS)
        return worked

    def _scoring(self, database: Database) -> Step:
        worker = this_worker(database, self._settings, self._ending.is_set)

        def step(waiting: Waiting) -> bool:
            if waiting.runs:
                wake_trainers(self._settings)
            return score_some(database, worker, waiting.shards) > 0

        return step

    def _training(self, database: Database) -> Step:
        def step(waiting: Waiting) -> bool:
            return waiting.runs and train_next(database, load_trainer(), self._settings, self._ending.is_set)

        return step


def main(arguments: list[str]) -> int:
    """Work through a queue: its name, the slot, and `--stay` to wait for more work for ever."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    queue, slot, *flags = arguments
    worker = LocalWorker(Settings.from_env(), queue, int(slot), stay=STAY in flags)
    signal.signal(signal.SIGTERM, worker.end)
    signal.signal(signal.SIGINT, worker.end)
    try:
        worker.run()
    except RelexError as fault:
        logger.error("%s", fault)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
