"""File locks of the kernel: they end with the process that holds them, so kill -9 leaves nothing to repair.

A lock by flock(2) belongs to an open file, not to a process: a child that inherits the file holds the lock too, until
the last of these processes is gone. A zombie holds no lock.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def shared(path: Path) -> Iterator[int]:
    """Hold a shared lock and yield its descriptor; wait while another process holds it exclusively."""
    with _locked(path, fcntl.LOCK_SH) as descriptor:
        yield descriptor


@contextmanager
def exclusive(path: Path) -> Iterator[int]:
    """Hold an exclusive lock and yield its descriptor; wait while any other process holds it."""
    with _locked(path, fcntl.LOCK_EX) as descriptor:
        yield descriptor


@contextmanager
def try_exclusive(path: Path) -> Iterator[bool]:
    """Try to hold an exclusive lock without waiting, and yield whether it is held."""
    with _opened(path) as descriptor:
        yield try_upgrade(descriptor)


def try_upgrade(descriptor: int) -> bool:
    """Turn a shared lock into an exclusive one; if another process shares it, release it and return False."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(path: Path) -> bool:
    """Return whether no process holds the lock."""
    with _opened(path) as descriptor:
        return try_upgrade(descriptor)


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
