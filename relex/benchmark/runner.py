"""The runs of one engine: it is opened before its first pass, timed in each, and compared at the end."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from time import perf_counter, process_time

import torch

from relex.benchmark.ceiling import Memory, wait_for
from relex.benchmark.engines import BATCH_ROWS
from relex.benchmark.plan import Engine, EngineFactory, EngineSettings
from relex.benchmark.report import EngineResult
from relex.domain.examples import Prediction
from relex.errors import RelexError

PredictionsByRow = Mapping[int, Prediction]


def sample_rows(settings: EngineSettings, every: int) -> EngineSettings:
    """Keep one example in `every`, of all lengths alike and in the file's order, but at least a full batch."""
    step = max(1, min(every, len(settings.examples) // BATCH_ROWS))
    by_length = sorted(settings.examples, key=lambda example: len(example.sentence))
    groups = [by_length[start : start + step] for start in range(0, len(by_length), step)]
    # The place in the group rotates: always the shortest, or always the longest, would change the mean length.
    chosen = [group[number % len(group)] for number, group in enumerate(groups)]
    return replace(settings, examples=sorted(chosen, key=lambda example: example.row_no))


class Runner:
    """One engine, its rows, and what was measured of it so far."""

    def __init__(self, name: str, factory: EngineFactory, settings: EngineSettings) -> None:
        self.name = name
        self.predictions: PredictionsByRow = {}
        self._factory = factory
        self._settings = settings
        self._device = torch.device(settings.device)
        self._engine: Engine | None = None
        self._seconds: list[float] = []
        self._cpu_seconds: list[float] = []
        self._opening_seconds = 0.0
        self._peak: int | None = None

    @property
    def precision(self) -> str:
        """Precision in which the engine multiplies."""
        return self._open_engine().precision

    def run(self) -> float:
        """Run one pass over all examples, from memory to predictions in Python; return rows per second.

        Raises:
            EngineUnavailable: at the first pass, if the engine cannot be opened here.
            RelexError: a row has no prediction.
        """
        is_first = self._engine is None
        memory = Memory(self._device)
        engine = self._open_engine()
        memory.begin()
        wait_for(self._device)
        start, cpu_start = perf_counter(), process_time()
        predictions = list(chain.from_iterable(engine.score(self._settings.examples)))
        wait_for(self._device)
        self._seconds.append(perf_counter() - start)
        self._cpu_seconds.append(process_time() - cpu_start)
        if is_first:
            self._peak = memory.peak()
        self.predictions = {prediction.row_no: prediction for prediction in predictions}
        if self.predictions.keys() != {example.row_no for example in self._settings.examples}:
            raise RelexError(f"{self.name} predicted other rows than it was given, so its speed means nothing")
        return len(predictions) / self._seconds[-1]

    def result(self, gflop: Callable[[int], float], reference: PredictionsByRow | None) -> EngineResult:
        """Summarize all passes.

        Args:
            gflop: returns the arithmetic of a row, by its number.
            reference: the predictions to compare with, if the reference engine ran.
        """
        rows = len(self.predictions)
        agreement, difference = compare_with_reference(self.predictions, reference) if reference else (None, None)
        return EngineResult(
            name=self.name,
            about=self._factory.info.about,
            precision=self.precision,
            note=self._open_engine().note,
            rows=rows,
            gflop_per_row=sum(map(gflop, self.predictions)) / rows,
            seconds=tuple(self._seconds),
            cpu_seconds=tuple(self._cpu_seconds),
            opening_seconds=self._opening_seconds,
            peak_memory_bytes=self._peak,
            agreement=agreement,
            largest_difference=difference,
        )

    def _open_engine(self) -> Engine:
        """Open the engine at the first call; return the same one afterwards."""
        if self._engine is None:
            start = perf_counter()
            self._engine = self._factory.open(self._settings)
            self._opening_seconds = perf_counter() - start
        return self._engine


def compare_with_reference(predictions: PredictionsByRow, reference: PredictionsByRow) -> tuple[float, float]:
    """Return the share of rows with the reference's label, and the largest difference of a probability.

    The reference must hold every predicted row; it may hold more.
    """
    pairs = [(prediction, reference[row_no]) for row_no, prediction in predictions.items()]
    same = sum(prediction.label == expected.label for prediction, expected in pairs)
    ours, theirs = (
        torch.tensor([prediction.probabilities for prediction in side], dtype=torch.float64)
        for side in zip(*pairs, strict=True)
    )
    return same / len(pairs), float((ours - theirs).abs().max())
