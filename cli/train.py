"""`relex train` and `relex tune`: training runs of a recipe, and trials of its settings."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click
from click.shell_completion import CompletionItem
from rich.console import Console

from cli.context import open_app, stderr_console
from cli.notify import notify_trainers
from cli.params import FILE, follow_option, json_option, parse_changes, quiet_option, recipe_encoding_option, set_option
from cli.progress import exit_with, follow_run
from relex.errors import counted
from relex.flows.search import SearchOptions, SearchOutcome, search
from relex.flows.train import load_trainer, queue
from relex.hints import jobs as hints
from relex.hints import next_steps
from relex.searching.reading import load_search
from relex.searching.trials import TrialEnd, TrialResult
from relex.training.config import load_config
from relex.training.recipes import shipped_names


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
@recipe_encoding_option
@follow_option
@json_option
@quiet_option
def train_command(
    recipe: str, changes: tuple[str, ...], encoding: str | None, *, follow: bool, as_json: bool, quiet: bool
) -> None:
    """Check a recipe and queue a training run of it; prints the run's id.

    The resulting checkpoint is registered with its scores. It becomes current if it beats the current version on the
    same validation file.

    Example: relex train --config large_focal.yaml --set data.train=my_train.csv --follow
    """
    console = stderr_console(quiet=quiet)
    config = load_config(recipe, parse_changes(changes, encoding))
    with open_app() as (settings, database):
        run_id = queue(database, config)
        notify_trainers(settings, console)
        click.echo(json.dumps({"run": run_id, "name": config.name}) if as_json else run_id)
        if follow:
            exit_with(follow_run(settings, database, run_id, console), console)
        elif not as_json:
            console.print(next_steps.follow(run_id))


@click.command("tune")
@recipe_option
@click.option(
    "--trials",
    required=True,
    metavar="N",
    type=click.IntRange(min=1),
    help="Number of trials that the study has in the end; a grid may have fewer.",
)
@click.option("--study", metavar="NAME", help="Name of the study.  [default: the recipe's, with a digest]")
@set_option
@recipe_encoding_option
@click.option("--out", type=FILE, metavar="FILE", help="File of the best recipe.  [default: NAME-best.yaml]")
@json_option
@quiet_option
def tune_command(
    recipe: str, changes: tuple[str, ...], encoding: str | None, *, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Train a recipe with different settings, trial by trial, and write the best trial's recipe; prints its file.

    The recipe names the search space (docs/training.md); without one it is learning rate, warm-up, dropout and label
    smoothing. Trials run in this process, and nothing is registered. The same command, repeated or run in parallel,
    here or on another machine with the same database, works on the same study.

    Example: relex tune --config search_focal --trials 12
    """
    console = stderr_console(quiet=quiet)
    wanted = load_search(recipe, parse_changes(changes, encoding))
    with open_app() as (settings, database):
        study_options = SearchOptions(output_dir=settings.output_path(""), **options)
        printer = _TrialPrinter(console, wanted.config.validation.metric)
        outcome = search(database, wanted, study_options, partial(load_trainer, settings.device), printer)
    click.echo(json.dumps(_study_data(outcome)) if as_json else outcome.recipe)
    trials = _count_trials(outcome.results)
    console.print(f"{trials} in the study {outcome.study}; {hints.train_recipe(outcome.recipe)}")


class _TrialPrinter:
    """A listener that prints one line a trial."""

    def __init__(self, console: Console, metric: str) -> None:
        self._console = console
        self._metric = metric

    def joined(self, study: str, results: Sequence[TrialResult]) -> None:
        """Name the study."""
        before = f": {_count_trials(results)} before" if results else ""
        self._console.print(f"study {study}{before}; the same command continues it after an interruption")

    def begun(self, number: int, changes: Mapping[str, Any]) -> None:
        """Print the settings of a trial that begins."""
        self._console.print(f"trial {number}  {_settings(changes)}  trains")

    def ended(self, result: TrialResult, best: TrialResult | None) -> None:
        """Print a trial with its settings and its score, and the best one so far."""
        score = "" if result.score is None else f"  {self._metric} {result.score:.2f}"
        end = "" if result.end is TrialEnd.DONE else f"  {result.end}"
        reason = f": {result.reason}" if result.reason else ""
        leader = f"   best {best.score:.2f} (trial {best.number})" if best else ""
        self._console.print(f"trial {result.number}  {_settings(result.changes)}{score}{end}{reason}{leader}")

    def waits(self) -> None:
        """Say why nothing happens."""
        self._console.print("waiting for the trials of other processes")


def _settings(changes: Mapping[str, Any]) -> str:
    values = ((key, f"{value:.4g}" if isinstance(value, float) else value) for key, value in changes.items())
    return "  ".join(f"{key}={value}" for key, value in values)


def _count_trials(results: Sequence[TrialResult]) -> str:
    ends = [result.end for result in results]
    each = ", ".join(f"{ends.count(end)} {end}" for end in TrialEnd if end in ends)
    return f"{counted(len(results), 'trial')} ({each})"


def _study_data(outcome: SearchOutcome) -> dict[str, Any]:
    best = outcome.best
    return {
        "study": outcome.study,
        "recipe": str(outcome.recipe),
        "best": {"trial": best.number, "score": best.score, "changes": dict(best.changes)},
        "trials": [
            {
                "trial": each.number,
                "state": each.end,
                "score": each.score,
                "changes": dict(each.changes),
                "reason": each.reason,
            }
            for each in outcome.results
        ],
    }
