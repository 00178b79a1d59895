"""Memory of a training on a CPU: glibc keeps freed memory for the next step.

By default glibc returns every large tensor to the kernel, which clears the same pages again for the next one. With
tensors above 32 MB (a batch of 64 with 150 tokens) this takes a quarter of the time of a step.
"""

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Numbers of the parameters in malloc.h."""
MEGABYTE = 2**20
KEEPING = {MMAP_THRESHOLD: 2**31 - 1, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 256 * MEGABYTE}
"""Parameters while a training runs; 2^31 - 1 is the largest value."""
ADAPTED = {MMAP_THRESHOLD: 32 * MEGABYTE, TRIM_THRESHOLD: 64 * MEGABYTE, TOP_PAD: MEGABYTE // 8}
"""Parameters after it: those that glibc arrives at by itself in a process with large tensors."""


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Keep freed memory until the block ends, then return it; without glibc's allocator nothing happens."""
    libc = ctypes.CDLL(None)
    if not (hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")):
        yield
        return
    _set(libc, KEEPING)
    try:
        yield
    finally:
        _set(libc, ADAPTED)
        libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, parameters: Mapping[int, int]) -> None:
    for number, value in parameters.items():
        libc.mallopt(number, value)
