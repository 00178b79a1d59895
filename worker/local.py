"""The same work without Celery: what the embedded default runs in the background.

`python -m worker.local score` ends by itself when nothing has waited for a while, `... train` when no run waits.
One process of each kind works for a home folder at a time, held apart by a lock that dies with its owner.
"""

import logging
import signal
import sys
from collections.abc import Callable
from threading import Event
from time import monotonic

from relex.embedded import locks
from relex.errors import RelexError
from relex.flows.database import open_database
from relex.flows.sweep import sweep
from relex.flows.train import train_next
from relex.settings import Settings
from worker.app import SCORE, TRAIN
from worker.dispatch import lock_of, wake_trainers
from worker.scorers import load_trainer, score_some, this_worker

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
FOREVER = float("inf")


def main(arguments: list[str]) -> int:
    """Work through one queue; `--stay` waits for more work for ever."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings.from_env()
    ending = Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    signal.signal(signal.SIGINT, lambda *_: ending.set())
    idle_seconds = FOREVER if "--stay" in arguments else settings.idle_seconds
    try:
        if TRAIN in arguments and SCORE not in arguments:
            _alone(settings, TRAIN, lambda: _train(settings, ending))
        else:
            _alone(settings, SCORE, lambda: _score(settings, ending, idle_seconds))
    except RelexError as fault:
        logger.error("%s", fault)
        return 1
    return 0


def _alone(settings: Settings, queue: str, work: Callable[[], bool]) -> None:
    """Work while nobody else does.

    Work that is queued while this process is about to end must not be forgotten: its sender saw the lock held and
    started nobody. So there is one more look after the lock is given up.
    """
    worked = True
    while worked:
        with locks.alone_now(lock_of(settings, queue)) as held:
            worked = held and work()


def _score(settings: Settings, ending: Event, idle_seconds: float) -> bool:
    """Score until nothing has waited for `idle_seconds`; whether there was anything to do."""
    worked_at, worked = monotonic(), False
    with open_database(settings) as database:
        worker = this_worker(database, settings, ending.is_set)
        while not ending.is_set():
            waiting = sweep(database)
            if waiting.runs:
                wake_trainers(settings)
            if waiting.shards and score_some(database, worker, waiting.shards):
                worked_at, worked = monotonic(), True
            elif monotonic() - worked_at > idle_seconds:
                break
            else:
                ending.wait(POLL_SECONDS)
    return worked and not ending.is_set()


def _train(settings: Settings, ending: Event) -> bool:
    """Execute runs until none waits; whether there was one."""
    worked = False
    with open_database(settings) as database:
        sweep(database)
        trainer = load_trainer()
        while not ending.is_set() and train_next(database, trainer, settings, ending.is_set):
            worked = True
    return worked and not ending.is_set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
