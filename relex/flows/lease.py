"""Leases, renewed while work makes progress, and writes, retried until Postgres is back.

A thread renews a lease, because the device may be busy for longer than that. It stops when the work has made no
progress for `stall_seconds`: a hung device must lose its shard although its process is alive.
"""

import logging
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from itertools import chain, repeat
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Protocol, TypeVar

from relex.errors import DatabaseUnreachable, LeaseLost, ServiceUnreachable

logger = logging.getLogger(__name__)

FIRST_PAUSES = (0.25, 0.5, 1.0)
LAST_PAUSE = 2.0
"""Short, because another worker may claim the shard as soon as Postgres is back and its lease has run out."""

Written = TypeVar("Written")


def retry_until_written(write: Callable[[], Written], stopping: Callable[[], bool]) -> Written:
    """Call `write` until Postgres accepts it, and return what it returns.

    A connection that breaks during COMMIT leaves doubt: `write` must look before it writes again.

    Raises:
        DatabaseUnreachable: Postgres is still away and this worker was asked to stop.
    """
    pauses = chain(FIRST_PAUSES, repeat(LAST_PAUSE))
    while True:
        try:
            return write()
        except DatabaseUnreachable as error:
            if stopping():
                raise
            logger.warning("not written yet: %s", error)
            time.sleep(next(pauses))


RETRY_SECONDS = 1.0
"""Pause, in seconds, after a renewal that Postgres did not answer; short, as the lease may run out meanwhile."""


class Stopped(Exception):
    """The worker was asked to stop: what it holds goes back to the queue."""


class Heartbeat(Protocol):
    """A signal to other processes that a process with a lease makes progress."""

    def beat(self) -> None:
        """Record that the work made progress just now."""

    def idle(self) -> None:
        """Record that nothing is held."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """The time limits of a lease, and the callbacks of the worker that holds it."""

    lease_seconds: float
    stall_seconds: float
    stopping: Callable[[], bool]
    heartbeat: Heartbeat | None = None
    on_stall: Callable[[], None] | None = None
    """Called from the lease's thread once the lease was given up: the work itself may never hear of it."""


class Lease:
    """A context in which a lease is renewed as long as `record_progress` is called.

    `renew` is called three times in each lease period.
    """

    def __init__(self, renew: Callable[[], None], terms: LeaseTerms) -> None:
        self._renew = renew
        self._terms = terms
        self._progress_at = monotonic()
        self._left = Event()
        self._lost: LeaseLost | None = None
        # The thread gets a copy of the context, so that its log lines carry the ids of the leased work.
        self._thread = Thread(target=copy_context().run, args=(self._keep,), name="lease", daemon=True)

    def record_progress(self) -> None:
        """Record that the work made progress.

        Raises:
            LeaseLost: there is no use in working on: another worker has the work, it was cancelled, or it stood
                still for so long that the lease was given up.
            Stopped: this worker was asked to stop.
        """
        self._beat()
        if self._lost:
            raise self._lost
        if self._terms.stopping():
            raise Stopped

    def __enter__(self) -> "Lease":
        self._beat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()
        if self._terms.heartbeat:
            self._terms.heartbeat.idle()

    def _beat(self) -> None:
        self._progress_at = monotonic()
        if self._terms.heartbeat:
            self._terms.heartbeat.beat()

    def _keep(self) -> None:
        pause = self._terms.lease_seconds / 3
        while not self._left.wait(pause):
            pause = self._terms.lease_seconds / 3
            if monotonic() - self._progress_at > self._terms.stall_seconds:
                self._lost = LeaseLost(f"no progress for {self._terms.stall_seconds:.0f} s: the lease is given up")
                logger.error("%s", self._lost)
                if self._terms.on_stall:
                    self._terms.on_stall()
                return
            try:
                self._renew()
            except LeaseLost as error:
                self._lost = error
                return
            except ServiceUnreachable as error:
                logger.warning("lease not renewed: %s", error)
                pause = min(pause, RETRY_SECONDS)
