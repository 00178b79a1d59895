"""Scorers against each other on the rows of a file.

What the contest must do is said here, by its user (:class:`Bench`); `relex.benchmark.benchmark` fits it.
"""

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Protocol

from relex.benchmark.plan import Plan
from relex.benchmark.report import Report
from relex.domain.examples import Example
from relex.errors import counted
from relex.files.reading import read_whole

BENCH = "relex.benchmark.benchmark"


class Bench(Protocol):
    """Holds contests."""

    def hold(self, plan: Plan, examples: Sequence[Example], tell: Callable[[str], None]) -> Report:
        """Let all contestants of the plan score the examples; `tell` hears how it goes."""


def load_bench() -> Bench:
    """The bench, which wakes torch: named, not imported, so that other commands let it sleep."""
    bench: Bench = pkgutil.resolve_name(BENCH)
    return bench


def bench(path: Path, rows: int, plan: Plan, tell: Callable[[str], None], encoding: str = "utf-8") -> Report:
    """Measure the plan's contestants on the first `rows` rows of a CSV in this encoding, with or without labels.

    Raises:
        InvalidCsv: the file cannot be used, or a record is bad.
        InvalidConfig, InvalidInput, BadCheckpoint: as the contest's door does.
    """
    started = perf_counter()
    examples = read_whole(path, encoding)
    reading = len(examples) / (perf_counter() - started)
    if len(examples) < rows:
        tell(f"{path.name} has {counted(len(examples), 'row')} only")
    return replace(load_bench().hold(plan, examples[:rows], tell), reading=reading)
