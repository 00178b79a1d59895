"""The same work without Celery: what the embedded default runs in the background.

`python -m worker.local score 0` ends by itself when nothing has waited for a while, `... train 0` as soon as no run
waits. The number is a slot: one process a slot of a home folder, held apart by a lock that dies with its owner.
"""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event
from time import monotonic

from relex import logs
from relex.db.connection import WORKER, Database
from relex.embedded import locks
from relex.errors import RelexError, Transient
from relex.flows.database import open_database
from relex.flows.gate import load_gate
from relex.flows.sweep import Waiting, sweep
from relex.flows.train import load_trainer, train_next
from relex.settings import Settings
from worker import health
from worker.background import STAY, lock_of, revive
from worker.queues import SCORE
from worker.scorers import score_some, this_worker

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
RETRY_SECONDS = 5.0

Step = Callable[[Waiting], bool]
"""Does some of what waits; whether there was anything to do."""


class LocalWorker:
    """The process in one slot of a queue, which works until it is idle or told to end."""

    def __init__(self, settings: Settings, queue: str, slot: int, *, stay: bool) -> None:
        self._settings = settings
        self._queue = queue
        self._slot = slot
        self._stay = stay
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
        and started nobody. So there is always one more look after the lock is given up.

        Raises:
            Transient: a service went away; a process that stays tries again instead.
        """
        again = True
        while again and not self._ending.is_set():
            try:
                with self._held() as held:
                    if held:
                        self._work()
                again = self._stay or (held and self._something_waits())
            except Transient as fault:
                if not self._stay:
                    raise
                logger.warning("%s", fault)
                self._ending.wait(RETRY_SECONDS)

    @contextmanager
    def _held(self) -> Iterator[bool]:
        """Whether the slot is ours. With a broker many may train at once: the run's lease keeps them apart."""
        if self._settings.broker_url:
            yield True
            return
        with locks.alone_now(lock_of(self._settings, self._queue, self._slot)) as held:
            if not held and self._stay:
                logger.info("waiting: a background process of this machine is at work already")
                health.tell(self._settings)
                self._ending.wait(RETRY_SECONDS)
            yield held

    def _work(self) -> None:
        """Work until nothing has waited for a while."""
        worked_at = monotonic()
        with open_database(self._settings, WORKER) as database, self._told(database):
            step = self._scoring(database) if self._queue == SCORE else self._training(database)
            while not self._ending.is_set():
                if step(sweep(database)):
                    worked_at = monotonic()
                elif monotonic() - worked_at >= self._idle_seconds:
                    break
                else:
                    self._ending.wait(POLL_SECONDS)

    def _told(self, database: Database) -> AbstractContextManager[None]:
        """A process that ends by itself when idle has no health that anybody could ask for."""
        return health.told(self._settings, database) if self._stay else nullcontext()

    def _something_waits(self) -> bool:
        with open_database(self._settings) as database:
            waiting = sweep(database)
        return waiting.shards > 0 if self._queue == SCORE else waiting.runs

    def _scoring(self, database: Database) -> Step:
        worker = this_worker(database, self._settings, self._ending.is_set)

        def step(waiting: Waiting) -> bool:
            if waiting.runs:
                revive(self._settings, Waiting(shards=0, runs=True))
            return score_some(database, worker, waiting.shards) > 0

        return step

    def _training(self, database: Database) -> Step:
        def step(waiting: Waiting) -> bool:
            if not waiting.runs:
                return False
            trainer, gate = load_trainer(self._settings.device), load_gate(self._settings.device)
            return train_next(database, trainer, self._settings, self._ending.is_set, gate)

        return step


def main(arguments: list[str]) -> int:
    """Work through a queue: its name, the slot, and `--stay` to wait for more work for ever."""
    queue, slot, *flags = arguments
    settings = Settings.from_env()
    logs.set_up(settings.log_format)
    worker = LocalWorker(settings, queue, int(slot), stay=STAY in flags)
    signal.signal(signal.SIGTERM, worker.end)
    signal.signal(signal.SIGINT, worker.end)
    try:
        worker.run()
    except RelexError as fault:
        logger.error("%s", fault)
        return 1
    finally:
        if STAY in flags:
            health.forget(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
