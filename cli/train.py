"""`relex train`: queue a training run of a recipe."""

import json

import click
from click.shell_completion import CompletionItem

from cli.context import open_app, stderr_console
from cli.notify import notify_trainers
from cli.params import follow_option, json_option, parse_changes, quiet_option, recipe_read_options, set_option
from cli.progress import exit_with, follow_run
from cli.reading_text import ReadingPrinter
from relex.flows.train import queue
from relex.hints import next_steps
from relex.training.recipe.config import load_config
from relex.training.recipe.reader import shipped_names


def _complete_recipe(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    names = [CompletionItem(name, help="shipped") for name in shipped_names() if name.startswith(incomplete)]
    return [CompletionItem(incomplete, type="file"), *names]


recipe_option = click.option(
    "--config",
    "recipe",
    required=True,
    metavar="RECIPE",
    shell_complete=_complete_recipe,
    help="YAML file, or the name of a shipped recipe.",
)


@click.command("train")
@recipe_option
@set_option
@recipe_read_options
@follow_option
@json_option
@quiet_option
def train_command(recipe: str, changes: tuple[str, ...], *, follow: bool, as_json: bool, quiet: bool) -> None:
    """Validate a recipe, queue a training run and print its id.

    The resulting checkpoint is registered with its scores. It becomes current if it beats the current version on the
    same validation file.

    Example: relex train --config large_focal.yaml --set data.train=my_train.csv --follow
    """
    console = stderr_console(quiet=quiet)
    config = load_config(recipe, parse_changes(changes))
    with open_app() as (settings, database):
        run_id = queue(database, config, ReadingPrinter(console, named=True))
        notify_trainers(settings, console)
        click.echo(json.dumps({"run": run_id, "name": config.name}) if as_json else run_id)
        if follow:
            exit_with(follow_run(settings, database, run_id, console), console)
        elif not as_json:
            console.print(next_steps.follow(run_id))
