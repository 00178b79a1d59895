"""`relex bench`: the speed of relex's scorer beside other ways to score."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cli.completion import complete_model
from cli.context import open_app, stderr_console
from cli.params import FOLDER, TABLE, json_option, quiet_option, read_options
from cli.reading_text import ReadingPrinter
from cli.tables import Column, Part, Table, number, print_parts
from relex.benchmark.plan import BASELINE, ENGINES, SHAPES, Plan
from relex.benchmark.report import Report, report_data, result_data
from relex.errors import counted, did_you_mean
from relex.files.options import ReadOptions
from relex.flows.bench import bench
from relex.registry.model_versions import locate
from relex.settings import Settings

COLUMNS = (
    Column("engine"),
    number("rows/s first"),
    number("rows/s warm"),
    number("ratio first", rank=1),
    number("ratio warm"),
    number("ratio by CPU", rank=5),
    number("of ceiling", rank=2),
    number("agreement", rank=1),
    number("largest diff", rank=4),
    number("peak MB", rank=3),
    Column("in", rank=2),
)


class Engines(click.ParamType[tuple[str, ...]]):
    """A comma-separated list of engines."""

    name = "names"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return each name once; an unknown one is a usage error."""
        if isinstance(value, tuple):
            return value
        engines = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
        for name in engines:
            if name not in ENGINES:
                choices = ", ".join(ENGINES)
                self.fail(f"no engine {name!r}{did_you_mean(name, ENGINES)}; the engines are {choices}", param, ctx)
        return engines


@click.command("bench")
@click.option(
    "--input",
    "csv",
    default="data/test_data.csv",
    show_default=True,
    metavar="FILE",
    type=TABLE,
    help="Rows to score; labels are not needed.",
)
@read_options
@click.option("--rows", metavar="N", default=256, show_default=True, type=click.IntRange(1), help="Number of rows.")
@click.option(
    "--shape", default="base", show_default=True, type=click.Choice(list(SHAPES)), help="Size of random weights."
)
@click.option(
    "--model",
    metavar="NAME@N",
    shell_complete=complete_model,
    help="Score with a registered version instead of random weights.",
)
@click.option(
    "--tokenizer",
    metavar="DIR",
    type=FOLDER,
    help="Folder of a tokenizer.json for random weights.  [default: trained on the rows]",
)
@click.option(
    "--passes",
    metavar="N",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    help="Number of passes; the first one is cold.",
)
@click.option(
    "--engines",
    default=",".join(ENGINES),
    show_default=True,
    type=Engines(),
    metavar="NAME,...",
    help="Engines to measure.",
)
@json_option
@quiet_option
def bench_command(
    csv: Path, rows: int, reading: ReadOptions, *, model: str | None, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Compare the speed of relex with a plain loop and transformers' pipeline on the same rows, in one run.

    Speeds depend on the machine and its load; the ratios to the plain loop hold.
    docs/measurements/speed.md explains the table.
    RELEX_DEVICE chooses the device.

    Example: relex bench --shape base --rows 256 --input data/test_data.csv
    """
    plan = _plan(model, options)
    console = stderr_console(quiet=quiet)
    report = bench(csv, rows, plan, console.print, reading, ReadingPrinter(console))
    if as_json:
        click.echo(json.dumps(report_data(report)))
    else:
        print_parts(bench_parts(report), separator="\n\n")


def _plan(model: str | None, options: dict[str, Any]) -> Plan:
    """Combine the options.

    Raises:
        click.UsageError: a registered version has its own tokenizer.
    """
    if model and options["tokenizer"]:
        raise click.UsageError("--tokenizer is for random weights; a --model has its own")
    checkpoint = None
    if model:
        with open_app() as (settings, database):
            checkpoint = locate(database, settings, model)
    return Plan(checkpoint=checkpoint, device=Settings.from_env().device, **options)


def bench_parts(report: Report) -> list[Part]:
    """Return a benchmark's circumstances, its table, and what is to know about each engine."""
    rows = f"{counted(report.rows, 'row')} of {report.tokens_per_row:.1f} tokens on average"
    load = f"load average {report.load[0]:.1f} before and {report.load[1]:.1f} after"
    ceilings = ", ".join(f"{name} {flops / 1e9:,.0f}" for name, flops in report.ceiling_flops.items())
    lines = [
        f"{report.network}; {rows}; {report.device}, {counted(report.threads, 'thread')}, {load}",
        f"ceiling, GFLOP/s in products of {report.ceiling_tokens:,} tokens: {ceilings}",
        f"reading the file: {report.reading:,.0f} rows/s, which no engine's time includes",
        f"ratios are relative to {BASELINE}",
    ]
    table = Table(COLUMNS, [_row(result_data(report, result)) for result in report.results])
    return ["\n".join(lines), table, "\n".join(_notes(report))]


def _row(data: Mapping[str, Any]) -> tuple[str, ...]:
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


def _notes(report: Report) -> list[str]:
    """Describe each engine, and say which ones are missing and why."""
    lines = []
    for result in report.results:
        part = f"; {result.rows:,} of the rows" if result.rows < report.rows else ""
        lines.append(f"{result.name}: {result.about}{f' ({result.note})' if result.note else ''}{part}")
    return [*lines, *(f"{name} was left out: {reason}" for name, reason in report.left_out.items())]
