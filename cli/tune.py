"""`relex tune`: trials of a recipe's settings, and the best of them as a new recipe."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click
from rich.console import Console

from cli.context import open_app, stderr_console
from cli.params import FILE, json_option, parse_changes, quiet_option, recipe_read_options, set_option
from cli.reading_text import ReadingPrinter
from cli.train import recipe_option
from relex.errors import counted
from relex.flows.tune import TuningOptions, TuningOutcome, tune
from relex.hints import jobs as hints
from relex.lazy import load_trainer
from relex.tuning.section import load_tuning_plan
from relex.tuning.trials import TrialEnd, TrialResult


@click.command("tune")
@recipe_option
@click.option(
    "--trials",
    required=True,
    metavar="N",
    type=click.IntRange(min=1),
    help="Total number of trials of the study; a grid may have fewer.",
)
@click.option("--study", metavar="NAME", help="Name of the study.  [default: the recipe's, with a digest]")
@set_option
@recipe_read_options
@click.option("--out", type=FILE, metavar="FILE", help="File to write the best recipe to.  [default: NAME-best.yaml]")
@json_option
@quiet_option
def tune_command(recipe: str, changes: tuple[str, ...], *, as_json: bool, quiet: bool, **options: Any) -> None:
    """Train a recipe with different settings, trial by trial; write the best one to a file and print its path.

    The recipe names the search space (docs/how-to/train-on-my-data.md); the default is learning rate,
    warm-up, dropout and label smoothing. Trials run in this process, and nothing is registered. Repeat the command, or
    run it in parallel on machines that share the database, to continue the same study.

    Example: relex tune --config tune_focal --trials 12
    """
    console = stderr_console(quiet=quiet)
    plan = load_tuning_plan(recipe, parse_changes(changes))
    with open_app() as (settings, database):
        study_options = TuningOptions(output_dir=settings.output_path(""), **options)
        printer = _TrialPrinter(console, plan.config.validation.metric)
        reading = ReadingPrinter(console, named=True)
        outcome = tune(database, plan, study_options, partial(load_trainer, settings.device), printer, reading)
    click.echo(json.dumps(_study_data(outcome)) if as_json else outcome.recipe)
    trials = _count_trials(outcome.results)
    console.print(f"{trials} in the study {outcome.study}; {hints.train_recipe(outcome.recipe)}")


class _TrialPrinter:
    """A listener that prints a line when a trial starts and when it ends."""

    def __init__(self, console: Console, metric: str) -> None:
        self._console = console
        self._metric = metric

    def study_opened(self, study: str, results: Sequence[TrialResult]) -> None:
        """Print the name of the study, and the number of earlier trials."""
        earlier = f": {_count_trials(results)} earlier" if results else ""
        self._console.print(f"study {study}{earlier}; the same command continues it after an interruption")

    def trial_started(self, number: int, changes: Mapping[str, Any]) -> None:
        """Print the settings of a trial that starts."""
        self._console.print(f"trial {number}  {_settings(changes)}  started")

    def trial_ended(self, result: TrialResult, best: TrialResult | None) -> None:
        """Print the settings and the score of a trial, and the best score so far."""
        score = "" if result.score is None else f"  {self._metric} {result.score:.2f}"
        end = "" if result.end is TrialEnd.DONE else f"  {result.end}"
        reason = f": {result.reason}" if result.reason else ""
        leader = f"   best {best.score:.2f} (trial {best.number})" if best else ""
        self._console.print(f"trial {result.number}  {_settings(result.changes)}{score}{end}{reason}{leader}")

    def waiting(self) -> None:
        """Print that only other processes still run trials."""
        self._console.print("waiting for the trials of other processes")


def _settings(changes: Mapping[str, Any]) -> str:
    values = ((key, f"{value:.4g}" if isinstance(value, float) else value) for key, value in changes.items())
    return "  ".join(f"{key}={value}" for key, value in values)


def _count_trials(results: Sequence[TrialResult]) -> str:
    ends = [result.end for result in results]
    each = ", ".join(f"{ends.count(end)} {end}" for end in TrialEnd if end in ends)
    return f"{counted(len(results), 'trial')} ({each})"


def _study_data(outcome: TuningOutcome) -> dict[str, Any]:
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
