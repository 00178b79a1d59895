"""Keeping a lease while work goes on, and only then.

A thread renews it, because the device may be busy for longer than a lease. It stops renewing when the work has
not moved for `stall_seconds`: a hung device must lose its shard although its process is alive.
"""

import logging
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Protocol

from relex.errors import LeaseLost, ServiceUnreachable

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """The worker was asked to end: what it holds goes back to the queue."""


class Pulse(Protocol):
    """Where others see whether a process that holds something still moves."""

    def beat(self) -> None:
        """The work moved just now."""

    def rest(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How long a worker may be silent, how it learns that it should stop, and who looks at its pulse."""

    lease_seconds: float
    stall_seconds: float
    stopping: Callable[[], bool]
    pulse: Pulse | None = None


class Lease:
    """Calls `renew` three times a lease until left; `moved` tells it that the work goes on."""

    def __init__(self, renew: Callable[[], None], terms: LeaseTerms) -> None:
        self._renew = renew
        self._terms = terms
        self._moved_at = monotonic()
        self._left = Event()
        self._lost: LeaseLost | None = None
        # With a copy of the context: what the thread logs bears the ids of what is held.
        self._thread = Thread(target=copy_context().run, args=(self._keep,), name="lease", daemon=True)

    def moved(self) -> None:
        """Tell that the work goes on.

        Raises:
            LeaseLost: another worker has the work by now, or it was cancelled: there is no use in going on.
            Stopped: this worker was asked to end.
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
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()
        if self._terms.pulse:
            self._terms.pulse.rest()

    def _beat(self) -> None:
        self._moved_at = monotonic()
        if self._terms.pulse:
            self._terms.pulse.beat()

    def _keep(self) -> None:
        while not self._left.wait(self._terms.lease_seconds / 3):
            if monotonic() - self._moved_at > self._terms.stall_seconds:
                logger.error("no progress for %.0f s: the lease is no longer renewed", self._terms.stall_seconds)
                return
            try:
                self._renew()
            except LeaseLost as fault:
                self._lost = fault
                return
            except ServiceUnreachable as fault:
                logger.warning("lease not renewed: %s", fault)
