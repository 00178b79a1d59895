"""`relex train`: queue a training run of a recipe."""

import json

import click

from cli.changes import changes_of
from cli.context import data_encoding_option, json_option, opened, quiet_option, talk
from cli.ending import end_with
from cli.watching import watch_run
from relex.errors import ServiceUnreachable
from relex.flows.train import queue
from relex.training.recipe.config import load_config
from worker.dispatch import notify_trainers


@click.command("train", short_help="Train a model by a recipe and register it.")
@click.option("--config", "recipe", required=True, metavar="RECIPE", help="A YAML file, or a shipped recipe's name.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key, as in train.epochs=3.")
@data_encoding_option
@click.option("--watch", is_flag=True, help="Follow it until it finishes.")
@json_option
@quiet_option
def train_command(
    recipe: str, changes: tuple[str, ...], encoding: str | None, *, watch: bool, as_json: bool, quiet: bool
) -> None:
    """Check a recipe and queue a training run of it; prints the run's id.

    The checkpoint that comes out is registered with its scores, and becomes current when it beats the current
    one on the same validation file.

    Example: relex train --config large_focal.yaml --set data.train=my_train.csv --watch
    """
    console = talk(quiet=quiet)
    config = load_config(recipe, changes_of(changes, encoding))
    with opened() as (settings, database):
        run_id = queue(database, config)
        try:
            notify_trainers(settings)
        except ServiceUnreachable as fault:
            console.print(f"warning: {fault}")
        click.echo(json.dumps({"run": run_id, "name": config.name}) if as_json else run_id)
        if watch:
            end_with(watch_run(settings, database, run_id, console), console)
