"""How the batches of one scorer keep a device busy: a single-thread lane a core on a CPU, a queue on a GPU.

Several lanes share one model's weights; there is one for each thread that torch may use (OMP_NUM_THREADS). One
product that all cores share waits for the slowest of them: beside a busy neighbour it falls to a fraction, where lanes
go on by themselves.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import torch
from torch import Tensor

Batch = TypeVar("Batch")

AHEAD = 2
"""Batches that a GPU holds beside the one whose numbers are being read."""


class Lanes(Protocol):
    """Computes batches."""

    def map(self, compute: Callable[[Batch], Tensor], batches: Sequence[Batch]) -> Generator[Tensor]:
        """The results on the CPU, in the order of the batches; what was not begun when the caller leaves never is."""


def lanes_of(device: torch.device) -> Lanes:
    """What suits the device."""
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
                torch.set_num_threads(self._count)  # one of torch's libraries keeps a single number for all threads


class _Queue:
    """Nothing waits for the device inside a batch: numbers are copied when they are ready, and read later."""

    def map(self, compute: Callable[[Batch], Tensor], batches: Sequence[Batch]) -> Generator[Tensor]:
        begun: deque[tuple[Tensor, torch.cuda.Event]] = deque()
        for batch in batches:
            begun.append(_copied(compute(batch)))
            if len(begun) > AHEAD:
                yield _read(*begun.popleft())
        while begun:
            yield _read(*begun.popleft())


def _copied(result: Tensor) -> tuple[Tensor, torch.cuda.Event]:
    host = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
    host.copy_(result, non_blocking=True)
    done = torch.cuda.Event()
    done.record(torch.cuda.current_stream(result.device))
    return host, done


def _read(host: Tensor, done: torch.cuda.Event) -> Tensor:
    done.synchronize()
    return host
