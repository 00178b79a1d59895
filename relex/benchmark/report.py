"""The results of a benchmark, and the ratios that follow from them; this module imports no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relex.benchmark.plan import BASELINE


@dataclass(frozen=True, slots=True)
class EngineResult:
    """The measurements of one engine."""

    name: str
    about: str
    """How the engine scores, in a few words."""
    precision: str
    """Precision of its matrix products: fp32, bf16, fp16 or int8."""
    note: str
    """Settings that the engine chose for this run; empty if it chose none."""
    rows: int
    """Number of rows that it scored in each pass."""
    gflop_per_row: float
    """Mean arithmetic of these rows, padding not counted."""
    seconds: tuple[float, ...]
    """Duration of each pass, tokenizing included."""
    cpu_seconds: tuple[float, ...]
    """CPU time of all threads in each pass; far less than seconds x threads means that other work had the cores."""
    opening_seconds: float
    """Time to read weights, convert and try settings before the first pass; no speed includes it."""
    peak_memory_bytes: int | None
    """Peak memory of the first pass, weights included; None where the machine does not report it."""
    agreement: float | None
    """Share of its rows with the reference's label; None if the reference did not run."""
    largest_difference: float | None
    """Largest difference of a probability from the reference's; None if the reference did not run."""

    @property
    def first(self) -> float:
        """Rows per second in the first pass."""
        return self.rows / self.seconds[0]

    @property
    def by_cpu(self) -> float:
        """Rows per CPU second in the pass that took fewest: other load on the machine hardly changes it."""
        return self.rows / min(self.cpu_seconds)

    @property
    def warm(self) -> float | None:
        """Rows per second in the best later pass."""
        return self.rows / min(self.seconds[1:]) if self.seconds[1:] else None


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one benchmark and its circumstances."""

    network: str
    """Description of the weights and of the tokenizer."""
    device: str
    threads: int
    rows: int
    tokens_per_row: float
    load: tuple[float, float]
    """Load average of the machine over 1 minute, before and after."""
    results: Sequence[EngineResult]
    left_out: Mapping[str, str]
    """Reason why an engine could not run, by its name."""
    ceiling_tokens: int
    """Number of tokens in the matrix products that the ceiling was measured with."""
    ceiling_flops: Mapping[str, float]
    """Operations per second that bare matrix products reach, by precision."""
    reading: float = 0.0
    """Rows per second from the file to examples, which no engine's time includes."""


def report_data(report: Report) -> dict[str, Any]:
    """Return a benchmark as `--json` prints it."""
    return {
        "network": report.network,
        "device": report.device,
        "threads": report.threads,
        "rows": report.rows,
        "tokens_per_row": report.tokens_per_row,
        "load_average": list(report.load),
        "reading_rows_per_s": report.reading,
        "engines": [result_data(report, result) for result in report.results],
        "left_out": [{"name": name, "why": why} for name, why in report.left_out.items()],
        "ceiling": {
            "tokens": report.ceiling_tokens,
            "gflops": {precision: flops / 1e9 for precision, flops in report.ceiling_flops.items()},
        },
    }


def result_data(report: Report, result: EngineResult) -> dict[str, Any]:
    """Relate one engine to the baseline and to the ceiling; a ratio is None where one of these is missing."""
    base = next((each for each in report.results if each.name == BASELINE), None)
    on_cpu = report.device == "cpu"  # on another device the cores only wait
    best = result.warm or result.first
    ceiling = report.ceiling_flops.get(result.precision)
    return {
        "name": result.name,
        "about": result.about,
        "precision": result.precision,
        "note": result.note,
        "rows": result.rows,
        "rows_per_s_first": result.first,
        "rows_per_s_warm": result.warm,
        "ratio_first": _over(result.first, base.first if base else None),
        "ratio_warm": _over(result.warm, base.warm if base else None),
        "rows_per_cpu_s": result.by_cpu if on_cpu else None,
        "ratio_cpu": _over(result.by_cpu, base.by_cpu if base and on_cpu else None),
        "ceiling_share": _over(best * result.gflop_per_row * 1e9, ceiling),
        "agreement": result.agreement,
        "largest_difference": result.largest_difference,
        "peak_memory_bytes": result.peak_memory_bytes,
        "gflop_per_row": result.gflop_per_row,
        "opening_seconds": result.opening_seconds,
        "seconds": list(result.seconds),
        "cpu_seconds": list(result.cpu_seconds),
    }


def _over(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value / base
