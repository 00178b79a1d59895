"""The faults by name, and one round of one: reset, play, check."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from subprocess import SubprocessError

from relex.domain.jobs import JobId
from relex.errors import RelexError
from tests.faults import truth
from tests.faults.arena import Arena
from tests.faults.oracle import Expected, Result, check_results

Play = Callable[[Arena, Random], Sequence[Expected]]

SECONDS = 45.0
"""From the beginning of a round to the end of its jobs, at most: the stated time, where a fault states no other."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and how to make it."""

    name: str
    play: Play
    seconds: float
    long: bool
    """Too slow for every run of the tests: in the long form alone."""
    disk: bool
    """Needs a disk that can be filled."""


FAULTS: dict[str, Fault] = {}


def fault(name: str, seconds: float = SECONDS, *, long: bool = False, disk: bool = False) -> Callable[[Play], Play]:
    """Enter a function into the catalogue."""

    def enter(play: Play) -> Play:
        FAULTS[name] = Fault(name, play, seconds, long, disk)
        return play

    return enter


def all_scored(arena: Arena, *jobs: JobId) -> list[Expected]:
    """Jobs of the plain file, of which every row gets its prediction."""
    return [Expected(job, truth.plain(arena.rows)) for job in jobs]


def play_round(arena: Arena, fault: Fault, seed: int, seconds: float | None = None) -> Result:
    """One round; the same seed draws the same moments. `seconds`: the stated time, where not the fault's own."""
    arena.reset()
    begun = time.monotonic()
    try:
        expected = fault.play(arena, Random(f"{fault.name} {seed}"))
        result = check_results(arena.database, arena.folder / "out", expected, begun, seconds or fault.seconds)
    except (AssertionError, RelexError, SubprocessError) as unmet:
        result = Result(faults=[f"{type(unmet).__name__}: {unmet}"], seconds=time.monotonic() - begun)
    if not result.holds:
        arena.fleet.muster()  # in whatever state they are
    return result
