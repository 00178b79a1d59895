"""Shared memory of one worker's processes: the stop flag, the poll flag, and each process's last progress.

The memory is shared before the fork and has no lock: a signal handler must not wait for one, and a child that is killed
would leave it held. A worker of a single process uses the same.
"""

import mmap
import os
import time
from time import monotonic

SLOTS = 256
"""Number of slots for the children of one worker; if there are more, some share a slot."""

SWEEP_SLOT = SLOTS
"""The slot of the sweep that the parent of a Celery worker runs in a thread."""

POLL_SECONDS = 0.1

_STOP, _LOOK = 0, 1
_flags = mmap.mmap(-1, 2)
_progress_at = memoryview(mmap.mmap(-1, 8 * (SLOTS + 1))).cast("d")
"""When the process in each slot last made progress, on a clock that all processes share; 0 where it holds nothing."""

_parent: int | None = None
"""Id of the process whose end stops this one; None if there is none."""


def request_stop(*_: object, **__: object) -> None:
    """Ask every process of this worker to release what it holds and exit.

    It works as a signal handler, and may be called repeatedly.
    """
    _flags[_STOP] = 1


def stopping() -> bool:
    """Return whether this process should release what it holds; workers check it between batches."""
    return _flags[_STOP] == 1 or (_parent is not None and os.getppid() != _parent)


def stop_with_parent(parent: int) -> None:
    """Treat the end of the parent process as a request to stop."""
    global _parent  # noqa: PLW0603 - set once, at the start of a process
    _parent = parent


def request_look() -> None:
    """Ask the loop of this worker to look for work now."""
    _flags[_LOOK] = 1


def wait(seconds: float) -> None:
    """Wait for this time, or less if this worker should stop or look for work now."""
    deadline = monotonic() + seconds
    while not stopping() and not _flags[_LOOK] and (left := deadline - monotonic()) > 0:
        time.sleep(min(left, POLL_SECONDS))
    _flags[_LOOK] = 0


class ProcessHeartbeat:
    """The heartbeat of the process in a slot (:class:`relex.flows.lease.Heartbeat`); a new one holds nothing."""

    def __init__(self, slot: int) -> None:
        self._slot = slot if slot == SWEEP_SLOT else slot % SLOTS
        self.idle()

    def beat(self) -> None:
        """Record that the work made progress just now."""
        _progress_at[self._slot] = monotonic()

    def idle(self) -> None:
        """Record that nothing is held."""
        _progress_at[self._slot] = 0.0


def stalled(seconds: float) -> bool:
    """Return whether a process of this worker holds work and made no progress for this time."""
    now = monotonic()
    return any(progress_at and now - progress_at > seconds for progress_at in _progress_at)
