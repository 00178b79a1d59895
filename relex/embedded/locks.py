"""Locks of the kernel on files: they end with the process that holds them, so kill -9 leaves nothing to repair.

flock(2) belongs to an open file, not to a process: a child that inherits the file holds the lock too, until the
last of the family is gone. A zombie holds nothing.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def shared(path: Path) -> Iterator[int]:
    """Hold the lock beside others; gives the descriptor, waits while somebody holds it alone."""
    with _locked(path, fcntl.LOCK_SH) as descriptor:
        yield descriptor


@contextmanager
def alone(path: Path) -> Iterator[int]:
    """Hold the lock alone; gives the descriptor, waits while anybody else holds it."""
    with _locked(path, fcntl.LOCK_EX) as descriptor:
        yield descriptor


@contextmanager
def alone_now(path: Path) -> Iterator[bool]:
    """Hold the lock alone if nobody else has it; gives whether it is held, waits for nobody."""
    with _opened(path) as descriptor:
        yield becomes_alone(descriptor)


def becomes_alone(descriptor: int) -> bool:
    """Whether nobody else shares the lock; if so, it is held alone from now on, if not, no longer at all."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock."""
    with _opened(path) as descriptor:
        return becomes_alone(descriptor)


@contextmanager
def _locked(path: Path, mode: int) -> Iterator[int]:
    with _opened(path) as descriptor:
        fcntl.flock(descriptor, mode)
        yield descriptor


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
