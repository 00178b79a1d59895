"""`relex models`: the registered model versions, and which of them is current."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from rich.markup import escape

from cli.context import answer, encoding_option, json_option, opened
from cli.render import model_data
from relex.domain.examples import Example
from relex.domain.versions import PRECISIONS
from relex.errors import counted
from relex.files.reading import read_labelled_examples
from relex.flows.gate import ParityCheck, load_parity_check
from relex.flows.importing import import_folder
from relex.flows.rehearsal import SmokeTest, load_smoke_test
from relex.model.folder import classifiers
from relex.model.parity import read_parity
from relex.registry import model_versions
from relex.times import local


@click.group("models", short_help="List model versions; promote one.", invoke_without_command=True)
@json_option
@click.pass_context
def models_command(ctx: click.Context, *, as_json: bool) -> None:
    """List the model versions, newest first; the current one scores new jobs.

    Example: relex models
    """
    if ctx.invoked_subcommand:
        return
    with opened() as (_, database):
        versions = model_versions.every(database)
    if as_json:
        click.echo(json.dumps([model_data(version) for version in versions]))
        return
    for version in versions:
        mark = "[green]current[/]" if version.current else "       "
        scores = "   ".join(
            f"micro-F1 {each.micro_f1:.2f}  AUPRC {each.auprc:.2f}  on {counted(each.examples, 'row')} "
            f"({each.data_sha256[:8]})" + (f" in {PRECISIONS[each.precision]}" if each.precision else "")
            for each in version.scores
        )
        answer().print(f"{mark}  [bold]{version}[/]  {local(version.created_at)}  {scores}")
        if version.note:
            answer().print(f"         note: {escape(version.note)}")


@models_command.command("promote", short_help="Make a model version current.")
@click.argument("given", metavar="NAME[@N]")
def promote_command(given: str) -> None:
    """Score new jobs with the version NAME@N (or the newest called NAME) from now on.

    Jobs that are queued already keep the version they were submitted with.

    Example: relex models promote large_focal@2
    """
    with opened() as (_, database):
        version = model_versions.promote(database, given)
    click.echo(f"{version} is current", err=True)


@models_command.command("import", short_help="Register a checkpoint folder made elsewhere.")
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="Of the model version.  [default: the folder's name]")
@click.option(
    "--on",
    "labelled",
    metavar="CSV",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Labelled rows: find out whether it may be scored in 16 bit.",
)
@encoding_option
def import_command(source: Path, name: str | None, labelled: Path | None, encoding: str) -> None:
    """Copy the checkpoint folder DIR, let it score a sentence, and register it; `relex models promote` makes it
    current.

    It must hold config.json, model.safetensors, tokenizer.json and tokenizer_config.json of a relex classifier.
    Pickled files (.pth, .bin, .pkl) are refused unread: they can run code. It is scored in float32 unless its own
    training, or --on here, found that 16 bit gives the same labels (docs/speed.md).

    Example: relex models import checkpoints/large_focal --name large_focal
    """
    examples = read_labelled_examples(labelled, encoding) if labelled else None
    with opened() as (settings, database):
        examine = partial(_examined, load_smoke_test(), load_parity_check(settings.device), examples)
        version = import_folder(database, settings, source, source.resolve().name if name is None else name, examine)
    click.echo(version)


def _examined(rehearse: SmokeTest, gate: ParityCheck, examples: Sequence[Example] | None, folder: Path) -> None:
    """Let it score a sentence; measure, if there are examples, and say what is known now of each classifier in it."""
    rehearse(folder)
    if not examples:
        return
    click.echo("measuring what 16 bit does to its labels ...", err=True)
    gate(folder, examples)
    for classifier in classifiers(folder):
        parity = read_parity(classifier)
        click.echo(parity.words if parity else "this device, or its encoder, knows no 16 bit: not measured", err=True)
