"""Measuring the speed of scoring engines on the rows of a file.

What a benchmark must do is stated here, by its consumer (:class:`RunBenchmark`); `relex.benchmark` implements it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Protocol

from relex import lazy
from relex.benchmark.plan import Plan
from relex.benchmark.report import Report
from relex.domain.examples import Example
from relex.errors import counted
from relex.files.inputs import input_name
from relex.files.options import AUTO, ReadOptions
from relex.files.reading import ReportReading, read_all_examples, report_nothing


class RunBenchmark(Protocol):
    """A benchmark of all engines of a plan."""

    def __call__(self, plan: Plan, examples: Sequence[Example], report: Callable[[str], None], /) -> Report:
        """Let every engine of the plan score the examples, and call `report` with a line for each step."""


def bench(
    path: Path,
    rows: int,
    plan: Plan,
    report: Callable[[str], None],
    options: ReadOptions = AUTO,
    report_reading: ReportReading = report_nothing,
) -> Report:
    """Measure the plan's engines on the first `rows` rows of a file, with or without labels.

    Args:
        path: the file.
        rows: number of rows to score.
        plan: what is measured.
        report: receives a line for each step.
        options: how the file is read.
        report_reading: receives how it was read.

    Raises:
        InvalidCsv: the file cannot be used, or a row has problems.
        InvalidConfig, InvalidInput, BadCheckpoint: as the benchmark does.
    """
    started = perf_counter()
    examples = read_all_examples(path, options, report_reading)
    reading = len(examples) / (perf_counter() - started)
    if len(examples) < rows:
        report(f"{input_name(path)} has only {counted(len(examples), 'row')}")
    return replace(lazy.load_benchmark()(plan, examples[:rows], report), reading=reading)
