"""Keeping a lease while work goes on, and only then.

A thread renews it, because the device may be busy for longer than a lease. It stops renewing when the work has
not moved for `stall_seconds`: a hung device must lose its shard although its process is alive.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from types import TracebackType

from relex.errors import LeaseLost, ServiceUnreachable

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """The worker was asked to end: what it holds goes back to the queue."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How long a worker may be silent, and how it learns that it should stop."""

    lease_seconds: float
    stall_seconds: float
    stopping: Callable[[], bool]


class Lease:
    """Calls `renew` three times a lease until left; `moved` tells it that the work goes on."""

    def __init__(self, renew: Callable[[], None], terms: LeaseTerms) -> None:
        self._renew = renew
        self._terms = terms
        self._moved_at = monotonic()
        self._left = Event()
        self._lost: LeaseLost | None = None
        self._thread = Thread(target=self._keep, name="lease", daemon=True)

    def moved(self) -> None:
        """Tell that the work goes on.

        Raises:
            LeaseLost: another worker has the work by now, or it was cancelled: there is no use in going on.
            Stopped: this worker was asked to end.
        """
        self._moved_at = monotonic()
        if self._lost:
            raise self._lost
        if self._terms.stopping():
            raise Stopped

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

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
