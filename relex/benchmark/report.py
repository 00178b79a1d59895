"""What a contest found, and the ratios that follow from it. Pure: `text` shows it without torch.

What a contest found, as a table for a terminal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relex.benchmark.plan import BASELINE
from relex.errors import counted


@dataclass(frozen=True, slots=True)
class EngineResult:
    """What one contestant did."""

    name: str
    about: str
    precision: str
    note: str
    rows: int
    """How many it scored in each pass."""
    gflop_per_row: float
    """Of those rows, padding not counted."""
    seconds: tuple[float, ...]
    """Of each pass, tokenizing included."""
    cpu_seconds: tuple[float, ...]
    """Of all this process' threads in each pass: far less than seconds x threads, and something else had the cores."""
    opening_seconds: float
    """Reading weights, converting, trying settings: before the first pass, and in no speed."""
    peak_memory_bytes: int | None
    """In the first pass, weights included; None where the machine does not tell."""
    agreement: float | None
    """Share of its rows with the reference's label; None if the reference did not take part."""
    largest_difference: float | None
    """Of a probability from the reference's."""

    @property
    def first(self) -> float:
        """Rows a second in the first pass."""
        return self.rows / self.seconds[0]

    @property
    def by_cpu(self) -> float:
        """Rows a CPU second in the pass that took fewest: who else has the cores hardly matters to it."""
        return self.rows / min(self.cpu_seconds)

    @property
    def warm(self) -> float | None:
        """Rows a second in the best later pass."""
        return self.rows / min(self.seconds[1:]) if self.seconds[1:] else None


@dataclass(frozen=True, slots=True)
class Report:
    """One contest."""

    network: str
    """Whose weights, and whose tokenizer."""
    device: str
    threads: int
    rows: int
    tokens_per_row: float
    load: tuple[float, float]
    """The machine's load average (1 minute) before and after."""
    standings: Sequence[EngineResult]
    left_out: Mapping[str, str]
    """Who could not take part, and why."""
    ceiling_tokens: int
    ceiling_flops: Mapping[str, float]
    """Operations a second by precision."""
    reading: float = 0.0
    """Rows a second from CSV to examples, which is before and in no contestant's time."""


def report_data(report: Report) -> dict[str, Any]:
    """For `--json`."""
    return {
        "network": report.network,
        "device": report.device,
        "threads": report.threads,
        "rows": report.rows,
        "tokens_per_row": report.tokens_per_row,
        "load_average": list(report.load),
        "reading_rows_per_s": report.reading,
        "contestants": [standing_data(report, standing) for standing in report.standings],
        "left_out": [{"name": name, "why": why} for name, why in report.left_out.items()],
        "ceiling": {
            "tokens": report.ceiling_tokens,
            "gflops": {precision: flops / 1e9 for precision, flops in report.ceiling_flops.items()},
        },
    }


def standing_data(report: Report, standing: EngineResult) -> dict[str, Any]:
    """One contestant, measured against the baseline and the ceiling; None where one of these is missing."""
    base = next((each for each in report.standings if each.name == BASELINE), None)
    on_cpu = report.device == "cpu"  # elsewhere the cores only wait
    best = standing.warm or standing.first
    ceiling = report.ceiling_flops.get(standing.precision)
    return {
        "name": standing.name,
        "about": standing.about,
        "precision": standing.precision,
        "note": standing.note,
        "rows": standing.rows,
        "rows_per_s_first": standing.first,
        "rows_per_s_warm": standing.warm,
        "ratio_first": _over(standing.first, base.first if base else None),
        "ratio_warm": _over(standing.warm, base.warm if base else None),
        "rows_per_cpu_s": standing.by_cpu if on_cpu else None,
        "ratio_cpu": _over(standing.by_cpu, base.by_cpu if base and on_cpu else None),
        "ceiling_share": _over(best * standing.gflop_per_row * 1e9, ceiling),
        "agreement": standing.agreement,
        "largest_difference": standing.largest_difference,
        "peak_memory_bytes": standing.peak_memory_bytes,
        "gflop_per_row": standing.gflop_per_row,
        "opening_seconds": standing.opening_seconds,
        "seconds": list(standing.seconds),
        "cpu_seconds": list(standing.cpu_seconds),
    }


def _over(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value / base


HEAD = (
    "contestant",
    "rows/s first",
    "warm",
    f"x {BASELINE} first",
    "warm",
    "by CPU",
    "of ceiling",
    "agreement",
    "largest diff",
    "peak MB",
    "in",
)


def as_text(report: Report) -> str:
    """A table with its circumstances; several lines, no line end."""
    threads = f"{report.threads} thread{'s' if report.threads > 1 else ''}"
    rows = f"{counted(report.rows, 'row')} of {report.tokens_per_row:.1f} tokens on average"
    load = f"load average {report.load[0]:.1f} before and {report.load[1]:.1f} after"
    ceilings = ", ".join(f"{name} {flops / 1e9:,.0f}" for name, flops in report.ceiling_flops.items())
    lines = [
        f"{report.network}; {rows}; {report.device}, {threads}, {load}",
        f"ceiling, GFLOP/s in products of {report.ceiling_tokens:,} tokens: {ceilings}",
        f"reading the CSV: {report.reading:,.0f} rows/s, in no contestant's time",
        "",
        *_aligned([HEAD, *(_cells(standing_data(report, standing)) for standing in report.standings)]),
        "",
        *_notes(report),
    ]
    return "\n".join(lines)


def _cells(data: Mapping[str, Any]) -> tuple[str, ...]:
    """A standing as a row of the table."""
    megabytes = None if data["peak_memory_bytes"] is None else data["peak_memory_bytes"] / 1e6
    return (
        data["name"],
        _number(data["rows_per_s_first"], ".2f"),
        _number(data["rows_per_s_warm"], ".2f"),
        _number(data["ratio_first"], ".2f"),
        _number(data["ratio_warm"], ".2f"),
        _number(data["ratio_cpu"], ".2f"),
        _number(data["ceiling_share"], ".0%"),
        _number(data["agreement"], ".2%"),
        _number(data["largest_difference"], ".1e"),
        _number(megabytes, ",.0f"),
        data["precision"],
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]


def _notes(report: Report) -> list[str]:
    """Who is who, and who is missing."""
    lines = []
    for standing in report.standings:
        part = f"; {standing.rows:,} of the rows" if standing.rows < report.rows else ""
        lines.append(f"{standing.name}: {standing.about}{f' ({standing.note})' if standing.note else ''}{part}")
    return [*lines, *(f"{name} was left out: {why}" for name, why in report.left_out.items())]
