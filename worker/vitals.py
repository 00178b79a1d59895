"""What the processes of one worker see of each other: whether they should end, and when each last moved.

Memory that is shared before the fork, without a lock: the handler of a signal must not wait for one, and a child that
is killed would leave it held.
"""

import mmap
from time import monotonic

SLOTS = 256
"""Children of one worker; more of them share."""

_ending = mmap.mmap(-1, 1)
_moved_at = memoryview(mmap.mmap(-1, 8 * SLOTS)).cast("d")
"""When the process in each slot last moved, on a clock that all processes share; 0 where it holds nothing."""


def end(*_: object, **__: object) -> None:
    """Let every process of this worker give back what it holds: may be a signal's handler, and be called again."""
    _ending[0] = 1


def stopping() -> bool:
    """Whether this process should give back what it holds, asked between batches."""
    return _ending[0] == 1


class Pulse:
    """The pulse of the process in a slot (`relex.flows.lease.Pulse`); a new one holds nothing."""

    def __init__(self, slot: int) -> None:
        self._slot = slot % SLOTS
        self.rest()

    def beat(self) -> None:
        """The work moved just now."""
        _moved_at[self._slot] = monotonic()

    def rest(self) -> None:
        """Nothing is held."""
        _moved_at[self._slot] = 0.0


def stalled(seconds: float) -> bool:
    """Whether a process of this worker holds something and has not moved for so long."""
    now = monotonic()
    return any(moved_at and now - moved_at > seconds for moved_at in _moved_at)
