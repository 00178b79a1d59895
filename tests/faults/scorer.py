"""The workers' scorer in the fault suite: the fake one, which can be held in any batch, or asked to break in it.

A plan is a file in the folder `plans` of RELEX_HOME, named by the batch (of a shard, from 0) at which it is due and,
where it matters, by the worker. The process that comes there first takes it by renaming it, which no two can, and waits
until the file is gone: meanwhile it is known to be in this batch. A word that the test leaves beside it says how to
continue.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from relex.domain.examples import CANNOT_BE_SCORED, Example, Prediction, RowError, RowResult
from relex.errors import Transient
from relex.labels import RELATIONS
from tests.factories import FakeScorer, prediction

KILLS, RAISES, REFUSED = "[kills]", "[raises]", "[refused]"
"""Marks in a sentence: scoring it ends the process, raises an error of no known kind, or gives a row error."""

BACKWARD = "[backward]"
"""In a sentence: scoring it raises where subject and object are swapped."""

PASSES = "[passes]"
"""In a sentence: scoring it raises, twice in each process, and then works."""

INVERSES = "inverses"
"""The plan that is due at the first inverse pair that a process meets."""

_raised: Counter[str] = Counter()
"""How often a sentence that passes has raised in this process."""

BATCHES = 8
"""In each shard of so many rows or more."""

HELD_SECONDS = 60.0
"""Rather than forever: the test may have died."""


class PlannedScorer(FakeScorer):
    """Says what the fake one says, unless a plan or a mark is met."""

    def score(self, examples: Sequence[Example]) -> Iterator[list[RowResult]]:
        size = -(-len(examples) // BATCHES)
        lies = False
        for number, start in enumerate(range(0, len(examples), size)):
            lies = meet(number) or lies
            batch = [_scored(item) for item in examples[start : start + size]]
            yield [_lie(result) for result in batch] if lies else batch


def meet(batch: int | str) -> bool:
    """Wait where a plan is due at this batch, or at inverse pairs; whether to answer wrongly from here on."""
    plans = Path(os.environ["RELEX_HOME"], "plans")
    for name in (f"{batch}", f"{batch}.{os.environ.get('FAULTS_WORKER')}"):
        held = plans / f"held-{os.getpid()}"
        with suppress(FileNotFoundError):
            (plans / name).rename(held)
            return _wait(held)
    return False


def _wait(held: Path) -> bool:
    deadline = time.monotonic() + HELD_SECONDS
    while held.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    reply = held.with_name(f"word-{os.getpid()}")
    word = reply.read_text() if reply.exists() else ""
    reply.unlink(missing_ok=True)
    if word == "memory":
        bytearray(1 << 60)  # no machine has that much
    if word == "device":
        raise Transient("the device has no memory left for a single example")
    return word == "lie"


def _scored(item: Example) -> RowResult:
    if item.sentence.endswith(KILLS):
        os.kill(os.getpid(), signal.SIGKILL)
    if item.sentence.endswith(RAISES):
        raise ValueError("a row that the scorer cannot digest")
    if item.subject.start > item.object.start:
        meet(INVERSES)
        if item.sentence.endswith(BACKWARD):
            raise ValueError("an inverse pair that the scorer cannot digest")
    if PASSES in item.sentence and _raised[item.sentence] < 2:
        _raised[item.sentence] += 1
        raise ValueError("an error that passes")
    if item.sentence.endswith(REFUSED):
        return RowError(item.row_no, CANNOT_BE_SCORED, "cannot be encoded")
    return prediction(item)


def _lie(said: RowResult) -> RowResult:
    """What a worker says whose memory is not to be trusted: accepted too late, it shows as a wrong value."""
    if isinstance(said, RowError):
        return said
    label = RELATIONS[(RELATIONS.index(said.label) + 1) % len(RELATIONS)]
    return Prediction(said.row_no, label, said.probabilities, said.truncated)
