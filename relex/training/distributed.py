"""The process group of one training: one process for each GPU, all doing the same steps.

The processes must agree on everything that depends on a clock or a file; otherwise they would wait for each other
forever. Therefore the first process decides, and only it writes. With a single process these functions do nothing.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import distributed


@contextmanager
def process_group(device: str, meeting: Path) -> Iterator[None]:
    """Join the process group that the environment describes, if any, until the block ends.

    Args:
        device: `cuda` for the GPU with this process's local rank, otherwise the CPU.
        meeting: the file that the processes find each other by; unlike a free port, no other program can take it.
    """
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # Shared values stay in main memory: reading them from a GPU would wait for all its pending work.
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    own_rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    distributed.init_process_group(backend, init_method=meeting.absolute().as_uri(), rank=own_rank, world_size=size)
    yield
    # Not after an error: the others may be waiting in the middle of a step, and this would wait for them.
    distributed.destroy_process_group()


def world_size() -> int:
    """Return the number of processes that train together."""
    return distributed.get_world_size() if _is_distributed() else 1


def rank() -> int:
    """Return the rank of this process, counted from 0."""
    return distributed.get_rank() if _is_distributed() else 0


def is_first() -> bool:
    """Return whether this process is the one that decides, reports and writes."""
    return rank() == 0


def wait_for_all() -> None:
    """Wait until all processes are here, so that they can read what the first one has written."""
    if _is_distributed():
        distributed.all_reduce(torch.zeros(1))  # a barrier would wait for the GPU too


def broadcast(values: Sequence[float]) -> list[float]:
    """Return the first process's values; every process must pass the same number of values."""
    if not _is_distributed():
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64)
    distributed.broadcast(tensor, src=0)
    from_first: list[float] = tensor.tolist()
    return from_first


def _is_distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()
