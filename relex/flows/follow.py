"""Following a job or a training run until it has ended, for the command line and for the Python interface."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from relex.domain.jobs import Progress
from relex.domain.runs import TrainingRun

POLL_SECONDS = 0.5
SWEEP_EVERY = 10
"""Number of polls between two sweeps."""

Followed = TypeVar("Followed", Progress, TrainingRun)


def follow(read: Callable[[], Followed], recover: Callable[[], None]) -> Iterator[Followed]:
    """Yield the state of a job or a run at every poll, its last one when it has ended.

    Args:
        read: reads the state.
        recover: sweeps now and then, so that the work continues where its processes were killed.
    """
    polls = 0
    while True:
        if polls % SWEEP_EVERY == 0:
            recover()
        current = read()
        yield current
        if current.state.ended:
            return
        polls += 1
        time.sleep(POLL_SECONDS)
