"""The processes of one training, as torch.distributed knows them: one a GPU, and all do the same steps.

They must agree on everything that a clock or a file decides, or they wait for each other for ever. So the first one
decides, and it alone writes. In a training of one process all of this does nothing.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import distributed


@contextmanager
def joined(device: str, meeting: Path) -> Iterator[None]:
    """Be one of the processes that the environment tells of, if it tells of any, until the block is left.

    Args:
        device: `cuda` for the GPU of this process's own number, else the CPU.
        meeting: a file by which they find each other: unlike a free port, nobody else can take it meanwhile.
    """
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # What is agreed on lies in main memory: asking a GPU would wait for all that it still has to do.
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    own, all_ = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    distributed.init_process_group(backend, init_method=meeting.absolute().as_uri(), rank=own, world_size=all_)
    yield
    # Not after a fault: the others may wait in the middle of a step, and this would wait for them.
    distributed.destroy_process_group()


def count() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if _together() else 1


def number() -> int:
    """Which of them this process is, from 0."""
    return distributed.get_rank() if _together() else 0


def is_first() -> bool:
    """Whether this process is the one that decides, tells and writes."""
    return number() == 0


def wait_for_all() -> None:
    """Go on when all have come here: what the first one has written can be read then."""
    if _together():
        distributed.all_reduce(torch.zeros(1))  # a barrier would wait for the GPU too


def agreed(numbers: Sequence[float]) -> list[float]:
    """The first process's numbers, in every process; `numbers` are its own, and all must ask for as many."""
    if not _together():
        return list(numbers)
    told = torch.tensor(numbers, dtype=torch.float64)
    distributed.broadcast(told, src=0)
    first: list[float] = told.tolist()
    return first


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
