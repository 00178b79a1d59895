"""Lanes keep a device busy with batches: a single-threaded lane for each core of a CPU, a queue for a GPU.

The lanes share the weights of one model; there is one lane for each thread that torch may use (OMP_NUM_THREADS). A
product shared by all cores waits for the slowest core and becomes much slower on a busy machine; lanes are independent.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import torch
from torch import Tensor

Batch = TypeVar("Batch")

AHEAD = 2
"""Number of batches queued on a GPU beside the one whose results are being read."""


class Lanes(Protocol):
    """Something that computes batches."""

    def map(self, compute: Callable[[Batch], Tensor], batches: Sequence[Batch]) -> Generator[Tensor]:
        """Yield the results on the CPU, in the order of the batches.

        Batches that have not started when the caller stops are never computed.
        """


def lanes_of(device: torch.device) -> Lanes:
    """Create the lanes for a device."""
    return _Queue() if device.type == "cuda" else _Cores(torch.get_num_threads())


class _Cores:
    def __init__(self, count: int) -> None:
        self._count = count

    def map(self, compute: Callable[[Batch], Tensor], batches: Sequence[Batch]) -> Generator[Tensor]:
        if self._count == 1:
            yield from map(compute, batches)
            return
        with ThreadPoolExecutor(self._count, "lane", lambda: torch.set_num_threads(1)) as pool:
            futures = [pool.submit(compute, batch) for batch in batches]
            try:
                for future in futures:
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()
                torch.set_num_threads(self._count)  # one of torch's libraries has a single setting for all threads


class _Queue:
    """A queue for a GPU: results are copied asynchronously and read later, so that nothing waits in a batch."""

    def map(self, compute: Callable[[Batch], Tensor], batches: Sequence[Batch]) -> Generator[Tensor]:
        started: deque[tuple[Tensor, torch.cuda.Event]] = deque()
        for batch in batches:
            started.append(_copy_to_host(compute(batch)))
            if len(started) > AHEAD:
                yield _read(*started.popleft())
        while started:
            yield _read(*started.popleft())


def _copy_to_host(result: Tensor) -> tuple[Tensor, torch.cuda.Event]:
    host = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
    host.copy_(result, non_blocking=True)
    done = torch.cuda.Event()
    done.record(torch.cuda.current_stream(result.device))
    return host, done


def _read(host: Tensor, done: torch.cuda.Event) -> Tensor:
    done.synchronize()
    return host
