"""The one loop of every worker: sweep, do some of the queued work, and repeat until idle or asked to stop.

The kind of work differs (:class:`Work`): a process without Celery scores or trains in itself; the parent of a Celery
worker notifies its children and keeps training processes. The mechanism is the same: claims, leases and commits are in
`relex.flows`, the stop signal in `worker.shared`, health in `worker.heartbeat`.
"""

import logging
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Protocol

from relex.db.connection import WORKER, Database
from relex.errors import RelexError, Transient
from relex.flows.database import open_database
from relex.flows.sweep import Waiting, sweep
from relex.settings import Settings
from worker import shared
from worker.heartbeat import heartbeat

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""Pause, in seconds, between two polls of a process that does the work itself."""

RETRY_SECONDS = 5.0
"""Pause, in seconds, before a database that does not answer is tried again."""


class Work(Protocol):
    """The work of one kind of worker."""

    def run_once(self, waiting: Waiting) -> bool:
        """Do some of the queued work, and return whether there was any."""

    def unloadable(self) -> Collection[str]:
        """Return the model versions that this worker cannot load at the moment; it claims none of their shards."""

    def close(self) -> None:
        """Release resources, before the database is closed."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a loop continues without work, and how long it waits between two turns, in seconds."""

    idle_seconds: float = inf
    """Time without work after which the loop ends; infinite for a worker that stays."""
    poll_seconds: float = POLL_SECONDS
    """Pause between two turns that find no work."""

    @property
    def stays(self) -> bool:
        """Whether the worker waits for more work forever."""
        return self.idle_seconds == inf


class Loop:
    """Runs one kind of work against one database."""

    def __init__(self, settings: Settings, open_work: Callable[[Database], Work], pace: Pace) -> None:
        self._settings = settings
        self._open_work = open_work
        self._pace = pace
        self._sweeping = shared.ProcessHeartbeat(shared.SWEEP_SLOT)

    def run(self) -> None:
        """Work until nothing has waited for `idle_seconds`, or until this worker is asked to stop.

        Raises:
            Transient: a service went away, and this worker does not stay.
            RelexError: the tables are of another version of relex, or were never made.
        """
        ended = False
        while not ended and not shared.stopping():
            try:
                with open_database(self._settings, WORKER) as database, self._heartbeat(database):
                    self._work(database)
                ended = True
            except Transient as error:
                if not self._pace.stays:
                    raise
                logger.warning("%s", error)
                shared.wait(RETRY_SECONDS)

    def _heartbeat(self, database: Database) -> AbstractContextManager[None]:
        """Write the health file while the loop runs; a process that ends when idle writes none."""
        return heartbeat(self._settings, database) if self._pace.stays else nullcontext()

    def _work(self, database: Database) -> None:
        work = self._open_work(database)
        busy_at = monotonic()
        try:
            while not shared.stopping():
                if self._turn(database, work):
                    busy_at = monotonic()
                elif monotonic() - busy_at >= self._pace.idle_seconds:
                    return
                else:
                    shared.wait(self._pace.poll_seconds)
        finally:
            work.close()

    def _turn(self, database: Database, work: Work) -> bool:
        """Sweep and work once. A worker that stays tries again what failed, unless no retry can help."""
        try:
            return work.run_once(self._sweep(database, work))
        except Transient as error:
            logger.warning("%s", error)
        except RelexError:
            raise
        except Exception:
            if not self._pace.stays:
                raise
            logger.exception("an unexpected error; the next turn tries again")
        return False

    def _sweep(self, database: Database, work: Work) -> Waiting:
        self._sweeping.beat()
        try:
            return sweep(database, work.unloadable())
        finally:
            self._sweeping.idle()
