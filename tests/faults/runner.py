"""The long form: many rounds over all faults, each with a seed of its own that can be played again alone.

make faults ROUNDS=200          # prints a line a round, then the table of docs/measurements/faults.md
make faults SEED=117            # that round again
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import commands, control, files, kills, leases, outages, reviews, rows  # noqa: F401 - they fill the catalogue
from tests.faults.arena import Arena, Kind, opened_arena
from tests.faults.catalogue import FAULTS, Fault, play_round
from tests.faults.oracle import Result
from tests.faults.real import play_real

HEAD = (
    "| fault | rounds | rows | lost | doubled | wrong | early | slowest end |\n|---|---:|---:|---:|---:|---:|---:|---:|"
)

COUNTED = ("rows", "lost", "doubled", "wrong", "early")


@dataclass
class Tally:
    """All rounds of one fault."""

    results: list[Result] = field(default_factory=list)

    def line(self, name: str) -> str:
        """As a line of the table."""
        numbers = [sum(getattr(each, what) for each in self.results) for what in COUNTED]
        slowest = max(each.seconds for each in self.results)
        cells = [name, str(len(self.results)), *(f"{number:,}" for number in numbers), f"{slowest:.1f} s"]
        return f"| {' | '.join(cells)} |"


def fault_of(seed: int, arena: Arena) -> Fault:
    """Every fault in turn: so many rounds as there are faults hold each of them once."""
    possible = [fault for fault in FAULTS.values() if arena.small_disk or not fault.disk]
    return possible[seed % len(possible)]


def play(arena: Arena, seeds: range) -> tuple[dict[str, Tally], list[int]]:
    """Play rounds, and print each; the tallies by fault, and the seeds that broke the promise."""
    tallies: dict[str, Tally] = {}
    broken = []
    for seed in seeds:
        fault = fault_of(seed, arena)
        result = play_round(arena, fault, seed)
        tallies.setdefault(fault.name, Tally()).results.append(result)
        said = "ok" if result.holds else f"BROKEN {result}"
        _say(f"seed {seed:4}  {result.seconds:5.1f} s  {result.rows:6,} rows  {fault.name}: {said}")
        if not result.holds:
            broken.append(seed)
    return tallies, broken


def table(tallies: dict[str, Tally]) -> str:
    """Markdown: a line a fault, and the sum of all."""
    lines = [tally.line(name) for name, tally in tallies.items()]
    every = Tally([result for tally in tallies.values() for result in tally.results])
    return "\n".join([HEAD, *lines, every.line("**all**")])


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """Where the workers' logs are kept on request."""
    if kept:
        kept.mkdir(parents=True)
        yield kept
    else:
        with tempfile.TemporaryDirectory(prefix="relex-faults-") as folder:
            yield Path(folder)


def main() -> int:
    """Play what is asked for; 1 if a round broke the promise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first round, to continue with a run")
    parser.add_argument("--rows", type=int, default=6000, help="of a round's file")
    parser.add_argument("--seed", type=int, help="play this one round alone")
    parser.add_argument("--keep", type=Path, help="a new folder for everything that the processes write")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.rounds) if asked.seed is None else range(asked.seed, asked.seed + 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that services and workers are ended
    begun = time.monotonic()
    with _folder(asked.keep) as folder, opened_arena(folder, Kind(asked.rows)) as arena:
        tallies, broken = play(arena, seeds)
        if asked.seed is None:
            for name, result in play_real(folder / "shipped"):
                tallies.setdefault(name, Tally()).results.append(result)
                _say(f"{name}: {result}")
                broken += [] if result.holds else [-1]
    _say(f"\n{table(tallies)}\n\n{len(seeds)} rounds in {time.monotonic() - begun:,.0f} s")
    if broken:
        _say(f"the promise was broken by seeds {broken}: make faults SEED={broken[0]}")
    return bool(broken)


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a script's output


if __name__ == "__main__":
    sys.exit(main())
