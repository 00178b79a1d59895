"""`relex search`: try settings of a recipe, and write down the best ones."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from cli.changes import changes_of
from cli.context import data_encoding_option, json_option, opened, quiet_option, talk
from relex.errors import counted
from relex.flows.train import load_trainer
from relex.flows.tune import SearchOptions, SearchOutcome, search
from relex.hints import jobs as hints
from relex.tuning.section import load_search
from relex.tuning.trials import TrialEnd, TrialResult


@click.command("search", short_help="Try settings of a recipe and write the best as a new one.")
@click.option("--config", "recipe", required=True, metavar="RECIPE", help="A YAML file, or a shipped recipe's name.")
@click.option(
    "--trials",
    required=True,
    type=click.IntRange(min=1),
    help="How many trials the study shall come to in all; a grid may have fewer.",
)
@click.option("--study", metavar="NAME", help="Name of the study; by default the recipe's, with a digest.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key, as in train.epochs=3.")
@data_encoding_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the best recipe goes.  [default: NAME-best.yaml]",
)
@json_option
@quiet_option
def search_command(
    recipe: str, changes: tuple[str, ...], encoding: str | None, *, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Train a recipe with other settings, trial by trial, and write the best trial's recipe; prints its file.

    The recipe's section `search` says what is tried (docs/training.md); without one: learning rate, warm-up,
    dropout and label smoothing. Trials run in this process, and nothing is registered. The same command, again or
    beside this one, here or on another machine with the same database, works on the same study.

    Example: relex search --config search_focal --trials 12
    """
    console = talk(quiet=quiet)
    wanted = load_search(recipe, changes_of(changes, encoding))
    with opened() as (settings, database):
        outcome = search(
            database,
            wanted,
            SearchOptions(output_dir=settings.output_path(""), **options),
            partial(load_trainer, settings.device),
            _Teller(console, wanted.config.validation.metric),
        )
    click.echo(json.dumps(_data(outcome)) if as_json else outcome.recipe)
    console.print(f"{_counts(outcome.results)} in the study {outcome.study}; {hints.train_recipe(outcome.recipe)}")


class _Teller:
    """One line a trial."""

    def __init__(self, console: Console, metric: str) -> None:
        self._console = console
        self._metric = metric

    def joined(self, study: str, results: Sequence[TrialResult]) -> None:
        """Name the study."""
        before = f": {_counts(results)} before" if results else ""
        self._console.print(f"study {study}{before}; the same command continues it after an interruption")

    def begun(self, number: int, changes: Mapping[str, Any]) -> None:
        """What is tried now."""
        self._console.print(f"trial {number}  {_settings(changes)}  trains")

    def ended(self, result: TrialResult, best: TrialResult | None) -> None:
        """A trial with what it changed, and the best so far."""
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


def _counts(results: Sequence[TrialResult]) -> str:
    ends = [result.end for result in results]
    each = ", ".join(f"{ends.count(end)} {end}" for end in TrialEnd if end in ends)
    return f"{counted(len(results), 'trial')} ({each})"


def _data(outcome: SearchOutcome) -> dict[str, Any]:
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
