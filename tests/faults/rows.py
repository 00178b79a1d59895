"""Rows and devices at fault: what one example may do to the process that scores it, and a memory that is full."""

import os
import signal
from dataclasses import replace
from random import Random

from relex.flows.submit import SubmitOptions
from tests.faults import truth
from tests.faults.arena import Arena
from tests.faults.catalogue import all_scored, fault
from tests.faults.oracle import Expected
from tests.faults.scorer import BACKWARD, INVERSES, KILLS, PASSES, RAISES, REFUSED
from tests.processes import wait_until

FEW = 48
"""Rows of a file with one that kills: of each shard half is scored again after every two deaths."""


def _marked(arena: Arena, draw: Random, mark: str, rows: int, marks: int, shards: int) -> list[Expected]:
    """A job of which the marked rows must end as row errors, and no others."""
    bad = frozenset(draw.sample(range(rows), marks))
    examples = truth.marked(rows, bad, mark)
    path = arena.folder / "marked.csv"
    path.unlink(missing_ok=True)
    job = arena.submit(truth.write_file(path, examples), shards=shards)
    return [Expected(job, examples, bad)]


@fault("a row that kills the process", 120)
def killing_row(arena: Arena, draw: Random) -> list[Expected]:
    return _marked(arena, draw, KILLS, FEW, 1, 12)


@fault("rows that raise in the scorer")
def raising_rows(arena: Arena, draw: Random) -> list[Expected]:
    return _marked(arena, draw, RAISES, arena.rows, 3, 12)


@fault("rows that the scorer refuses by name")
def refused_rows(arena: Arena, draw: Random) -> list[Expected]:
    return _marked(arena, draw, REFUSED, arena.rows, 5, 12)


@fault("an error that passes on equal rows")
def passing_error(arena: Arena, draw: Random) -> list[Expected]:
    """The first two rows of some shards are equal, and raise until their shard is scored in parts."""
    shards = 12
    step = -(-arena.rows // shards)  # rows of a shard
    examples = truth.plain(arena.rows)
    for shard in draw.sample(range(shards - 1), 4):
        first, second = shard * step, shard * step + 1
        equal = truth.with_mark(examples[first], f"{PASSES} {draw.randrange(10**9)}")  # never seen in earlier rounds
        examples[first : second + 1] = [equal, replace(equal, row_no=second, id=examples[second].id)]
    path = arena.folder / "marked.csv"
    path.unlink(missing_ok=True)
    return [Expected(arena.submit(truth.write_file(path, examples), shards=shards), examples)]


@fault("worker killed at an inverse pair, others of which raise")
def inverse_pairs(arena: Arena, draw: Random) -> list[Expected]:
    """Every row keeps its prediction; only the pairs that raise have no label."""
    bad = frozenset(draw.sample(range(arena.rows), 3))
    examples = truth.marked(arena.rows, bad, BACKWARD)
    path = arena.folder / "marked.csv"
    path.unlink(missing_ok=True)
    (arena.plans / INVERSES).touch()
    job = arena.submit(truth.write_file(path, examples), options=SubmitOptions(check_inverse=True))
    os.kill(arena.held(), signal.SIGKILL)
    wait_until(lambda: arena.has_ended(job))
    unlabeled = f"SELECT count(*) FROM predictions WHERE job_id = '{job}' AND inverse_label IS NULL"
    assert arena.ask(unlabeled) == len(bad)
    return [Expected(job, examples)]


@fault("out of memory in a batch")
def memory(arena: Arena, draw: Random) -> list[Expected]:
    job, _, process = arena.hold(draw)
    arena.let_go(process, "memory")
    return all_scored(arena, job)


@fault("device without memory for a single example")
def device_memory(arena: Arena, draw: Random) -> list[Expected]:
    job, _, process = arena.hold(draw)
    arena.let_go(process, "device")
    return all_scored(arena, job)


@fault("worker killed by the kernel for its memory")
def killed_for_memory(arena: Arena, draw: Random) -> list[Expected]:
    """What the kernel does is a kill -9 of the child alone, here of one child after another."""
    job, _, process = arena.hold(draw)
    for _ in range(2):
        arena.plan(draw)
        os.kill(process, signal.SIGKILL)
        process = arena.held(process)
    arena.let_go(process)
    return all_scored(arena, job)
