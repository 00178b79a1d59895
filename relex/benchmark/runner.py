"""One contestant's way through the contest: opened at its first turn, timed at each, compared at the end."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from time import perf_counter, process_time
from typing import Any

import torch

from relex import lazy
from relex.benchmark.ceiling import Memory, wait_for
from relex.benchmark.engine import Engine, EngineSettings, EngineUnavailable
from relex.benchmark.engines import ROWS
from relex.benchmark.plan import ENGINES
from relex.benchmark.report import EngineResult
from relex.domain.examples import Prediction
from relex.errors import RelexError

EXTRA = ("openvino", "nncf")
"""Libraries that only relex' extra `bench` brings."""

ByRow = Mapping[int, Prediction]


def part_of(setting: EngineSettings, every: int) -> EngineSettings:
    """The setting with one example of so many, of all lengths alike, in the file's order; at least a full batch."""
    step = max(1, min(every, len(setting.examples) // ROWS))
    waiting = sorted(setting.examples, key=lambda example: len(example.sentence))
    groups = [waiting[start : start + step] for start in range(0, len(waiting), step)]
    # Now the shortest of a group, now the longest: always the same place would make the part lighter or heavier.
    chosen = [group[number % len(group)] for number, group in enumerate(groups)]
    kept = sorted(chosen, key=lambda example: example.row_no)
    return replace(setting, examples=kept)


class Runner:
    """Where one contestant runs."""

    def __init__(self, name: str, setting: EngineSettings) -> None:
        self.name = name
        self.predictions: ByRow = {}
        self._setting = setting
        self._device = torch.device(setting.device)
        self._contestant: Engine | None = None
        self._seconds: list[float] = []
        self._cpu_seconds: list[float] = []
        self._opening = 0.0
        self._peak: int | None = None

    @property
    def precision(self) -> str:
        """In which the contestant multiplies."""
        return self._opened().precision

    def run(self) -> float:
        """One pass over all examples, from memory to predictions in Python; rows a second.

        Raises:
            LeftOut: at the first pass, if the contestant cannot be opened here.
            RelexError: a row has no prediction.
        """
        first = self._contestant is None
        memory = Memory(self._device)
        contestant = self._opened()
        memory.begin()
        wait_for(self._device)
        started, cpu_started = perf_counter(), process_time()
        found = list(chain.from_iterable(contestant.score(self._setting.examples)))
        wait_for(self._device)
        self._seconds.append(perf_counter() - started)
        self._cpu_seconds.append(process_time() - cpu_started)
        if first:
            self._peak = memory.peak()
        self.predictions = {prediction.row_no: prediction for prediction in found}
        if self.predictions.keys() != {example.row_no for example in self._setting.examples}:
            raise RelexError(f"{self.name} predicted other rows than it was given, so its speed means nothing")
        return len(found) / self._seconds[-1]

    def standing(self, gflop: Callable[[int], float], reference: ByRow | None) -> EngineResult:
        """What was found; `gflop` is the arithmetic of a row number."""
        rows = len(self.predictions)
        agreement, difference = compared(self.predictions, reference) if reference else (None, None)
        return EngineResult(
            name=self.name,
            about=ENGINES[self.name].about,
            precision=self.precision,
            note=self._opened().note,
            rows=rows,
            gflop_per_row=sum(map(gflop, self.predictions)) / rows,
            seconds=tuple(self._seconds),
            cpu_seconds=tuple(self._cpu_seconds),
            opening_seconds=self._opening,
            peak_memory_bytes=self._peak,
            agreement=agreement,
            largest_difference=difference,
        )

    def _opened(self) -> Engine:
        if self._contestant is None:
            started = perf_counter()
            self._contestant = opened(self.name, self._setting)
            self._opening = perf_counter() - started
        return self._contestant


def opened(name: str, setting: EngineSettings) -> Engine:
    """The contestant of this name.

    Raises:
        LeftOut: it needs a library that is not here, or another machine.
    """
    # OpenVINO and NNCF tell their makers over the network that they were used, unless this module is missing.
    missing: Any = None
    sys.modules.setdefault("openvino_telemetry", missing)
    try:
        contestant = lazy.open_engine(name, setting)
    except ModuleNotFoundError as fault:
        if fault.name not in EXTRA:
            raise
        raise EngineUnavailable(
            f"{fault.name} is not installed; pip install -e '.[bench]' in relex' checkout"
        ) from fault
    return contestant


def compared(predictions: ByRow, reference: ByRow) -> tuple[float, float]:
    """The share of rows with the reference's label, and the largest difference of a probability from the reference's.

    Every predicted row must stand in the reference; it may hold more.
    """
    pairs = [(prediction, reference[row_no]) for row_no, prediction in predictions.items()]
    same = sum(found.label == expected.label for found, expected in pairs)
    found, expected = (
        torch.tensor([prediction.probabilities for prediction in side], dtype=torch.float64)
        for side in zip(*pairs, strict=True)
    )
    return same / len(pairs), float((found - expected).abs().max())
