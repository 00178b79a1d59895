"""`relex models`: the registered model versions, and which of them is current."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from cli.completion import complete_model
from cli.context import open_app, stderr_console
from cli.evaluate import LabeledFile, labeled_options
from cli.folding import print_message
from cli.params import FOLDER, TABLE, json_option, quiet_option, read_options
from cli.reading_text import ReadingPrinter
from cli.run_text import model_data, models_table
from cli.tables import Part, print_parts
from relex.domain.examples import Example
from relex.domain.versions import ModelVersion
from relex.errors import printable
from relex.evaluation.calibration_card import require_rows
from relex.files.options import ReadOptions
from relex.files.reading import read_labeled_examples
from relex.flows.calibrate import calibrate
from relex.flows.train import ParityCheck
from relex.hints import jobs as hints
from relex.lazy import load_calibrator, load_parity_check, load_smoke_test
from relex.model.folder import classifiers
from relex.model.parity import read_parity
from relex.registry import model_versions
from relex.registry.importing import SmokeTest, import_folder


@click.group("models", invoke_without_command=True)
@json_option
@click.pass_context
def models_command(ctx: click.Context, *, as_json: bool) -> None:
    """List model versions, newest first; the current one scores new jobs.

    Example: relex models
    """
    if ctx.invoked_subcommand:
        return
    with open_app() as (_, database):
        versions = model_versions.every(database)
    if as_json:
        click.echo(json.dumps([model_data(version) for version in versions]))
    elif versions:
        print_parts(_parts(versions))
    else:
        print_message(f"there are no model versions yet; {hints.first_model()}")


def _parts(versions: Sequence[ModelVersion]) -> list[Part]:
    notes = [f"note: {version}: {printable(version.note)}" for version in versions if version.note]
    return [models_table(versions), *notes]


@models_command.command("promote", short_help="Make a model version current.")
@click.argument("model", metavar="NAME[@N]", shell_complete=complete_model)
def promote_command(model: str) -> None:
    """Score new jobs with the version NAME@N (or the newest called NAME) from now on.

    Jobs that are queued already keep the version with which they were submitted.

    Example: relex models promote large_focal@2
    """
    with open_app() as (_, database):
        version = model_versions.promote(database, model)
    print_message(f"{version} is current")


@models_command.command("import", short_help="Register a checkpoint folder from elsewhere.")
@click.argument("source", metavar="DIR", type=FOLDER)
@click.option("--name", metavar="NAME", help="Name of the model version.  [default: the folder's name]")
@click.option("--on", "labeled", metavar="FILE", type=TABLE, help="Labeled rows for the bf16 parity check.")
@read_options
def import_command(source: Path, name: str | None, labeled: Path | None, reading: ReadOptions) -> None:
    """Copy the checkpoint folder DIR, score a sentence with it, and register it.

    `relex models promote` makes it current. The folder holds config.json, model.safetensors, tokenizer.json and
    tokenizer_config.json of a relex classifier. Pickled files (.pth, .bin, .pkl) are rejected without being opened:
    unpickling can execute code. The version scores in float32 unless it passed the bf16 parity check, in training or
    with --on (docs/concepts/model-versions.md).

    Example: relex models import checkpoints/large_focal --name large_focal
    """
    printer = ReadingPrinter(stderr_console())
    examples = read_labeled_examples(labeled, reading, printer) if labeled else None
    with open_app() as (settings, database):
        examine = partial(_examine, load_smoke_test(), load_parity_check(settings.device), examples)
        version = import_folder(database, settings, source, source.resolve().name if name is None else name, examine)
    click.echo(version)


@models_command.command("calibrate", short_help="Measure what a version's probabilities mean.")
@click.argument("model", metavar="NAME[@N]", shell_complete=complete_model)
@labeled_options
@quiet_option
def calibrate_command(model: str, **options: Any) -> None:
    """Score a labeled file with the version NAME@N (or the newest called NAME) and learn what its probabilities mean.

    The calibrated version is the next one of its name, with the same weights; it is current if NAME@N was. Its jobs
    then show a calibrated confidence, an estimate of their quality, and whether their rows have drifted from the
    labeled ones. A training calibrates its version by itself. The file needs 200 rows that the version was not trained
    on (docs/how-to/trust.md).

    Example: relex models calibrate large_focal@1 --on data/valid_data.csv
    """
    file = LabeledFile(**options)
    with file.check() as checked, open_app() as (settings, database):
        require_rows(checked.facts.accepted if checked.facts else 0)
        (job_id,) = file.score(database, settings, checked, [model])
        version, words = calibrate(database, settings, load_calibrator(), job_id)
    file.console.print(words)
    if version.current:
        file.console.print(f"{version} is current")
    click.echo(version)


def _examine(smoke_test: SmokeTest, check: ParityCheck, examples: Sequence[Example] | None, folder: Path) -> None:
    """Run the smoke test and, where there are examples, the parity check; print its result for each classifier."""
    smoke_test(folder)
    if not examples:
        return
    print_message("running the bf16 parity check ...")
    check(folder, examples)
    for classifier in classifiers(folder):
        parity = read_parity(classifier)
        click.echo(
            parity.words if parity else "parity check skipped: this device or encoder does not support bf16", err=True
        )
