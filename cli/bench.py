"""`relex bench`: relex's scorer against other ways to score."""

import json
from pathlib import Path
from typing import Any

import click

from cli.context import encoding_option, json_option, opened, quiet_option, talk
from relex.benchmark.plan import ENGINES, SHAPES, Plan
from relex.benchmark.report import as_text, report_data
from relex.errors import did_you_mean
from relex.flows.bench import bench
from relex.registry.model_versions import locate
from relex.settings import Settings

KLUE = Path("../shared/klue-tokenizer")
"""Where KLUE's tokenizer lies beside a checkout, if it does."""


class Names(click.ParamType[tuple[str, ...]]):
    """A comma-separated list of contestants."""

    name = "names"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, each once; one that nobody has is a usage error."""
        if isinstance(value, tuple):
            return value
        found = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
        for name in found:
            if name not in ENGINES:
                known = ", ".join(ENGINES)
                self.fail(f"no contestant {name!r}{did_you_mean(name, ENGINES)}; there are {known}", param, ctx)
        return found


@click.command("bench", short_help="Measure relex's scorer against other ways to score.")
@click.option(
    "--input",
    "csv",
    default="data/test_data.csv",
    show_default=True,
    metavar="CSV",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Rows to score; labels are not needed.",
)
@encoding_option
@click.option("--rows", default=256, show_default=True, type=click.IntRange(1), help="How many of them.")
@click.option("--shape", default="base", show_default=True, type=click.Choice(list(SHAPES)), help="Random weights.")
@click.option("--model", metavar="NAME@N", help="A registered model in place of random weights.")
@click.option(
    "--tokenizer",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Folder of a tokenizer.json for random weights.  [default: {KLUE} if there, else trained]",
)
@click.option("--passes", default=3, show_default=True, type=click.IntRange(1), help="The first, and the warm ones.")
@click.option(
    "--contestants",
    default=",".join(ENGINES),
    show_default=True,
    type=Names(),
    metavar="NAME,...",
    help="Who takes part.",
)
@json_option
@quiet_option
def bench_command(
    csv: Path, rows: int, encoding: str, *, model: str | None, as_json: bool, quiet: bool, **asked: Any
) -> None:
    """Let the plain way, transformers' pipeline, OpenVINO and relex itself score the same rows in turn, in one run.

    Speeds depend on the machine and on what else it does; the multiples of the plain way hold. docs/speed.md says how
    to read the table. RELEX_DEVICE chooses the device.

    Example: relex bench --shape base --rows 256 --input data/test_data.csv
    """
    if model and asked["tokenizer"]:
        raise click.UsageError("--tokenizer is for random weights; a --model has its own")
    if asked["tokenizer"] is None and KLUE.is_dir():
        asked["tokenizer"] = KLUE
    plan = Plan(checkpoint=_checkpoint(model) if model else None, device=Settings.from_env().device, **asked)
    report = bench(csv, rows, plan, talk(quiet=quiet).print, encoding)
    click.echo(json.dumps(report_data(report)) if as_json else as_text(report))


def _checkpoint(model: str) -> Path:
    with opened() as (settings, database):
        return locate(database, settings, model)
