"""What a contest found, as a table for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from relex.benching.plan import BASELINE
from relex.benching.report import Report, standing_data
from relex.errors import counted

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
