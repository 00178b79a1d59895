"""Options, arguments and parameter types that several commands share."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.completion import complete_any_id, complete_job_id, complete_model
from relex.db.ids import LAST
from relex.domain.jobs import MaxFailed
from relex.errors import InvalidInput
from relex.hints import jobs as hints

Command = TypeVar("Command", bound=Callable[..., Any])

MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10080}
"""Minutes in each unit of an age."""


class Budget(click.ParamType[MaxFailed]):
    """An error budget: `1%` or `10`."""

    name = "budget"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> MaxFailed:
        """Parse the budget."""
        try:
            return MaxFailed.parse(value)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


class Age(click.ParamType[timedelta]):
    """An age: `30d`, `12h`, `2w` or `90m`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse the age."""
        match = re.fullmatch(r"(\d{1,4})([mhdw])", value, re.ASCII)
        if match is None:
            self.fail(f"'{value}' is not an age: write up to four digits and m, h, d or w, {hints.age()}", param, ctx)
        return timedelta(minutes=int(match[1]) * MINUTES[match[2]])


AGE, BUDGET = Age(), Budget()
PRIORITY = click.IntRange(-100, 100)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

job_argument = click.argument("job_ref", metavar="[JOB_ID]", default=LAST, shell_complete=complete_job_id)
id_argument = click.argument("job_ref", metavar="[ID]", default=LAST, shell_complete=complete_any_id)

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print only results and errors.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
follow_option = click.option("--follow", "--watch", "--wait", "follow", is_flag=True, help="Follow until it finishes.")
limit_option = click.option(
    "-n", "limit", metavar="N", default=20, show_default=True, type=click.IntRange(1), help="Number of lines."
)
model_option = click.option(
    "--model",
    metavar="NAME[@N]",
    shell_complete=complete_model,
    help="Model version to score with.  [default: the current one]",
)
encoding_option = click.option(
    "--encoding",
    metavar="ENCODING",
    default="utf-8",
    show_default=True,
    help="Encoding of the CSV, such as cp949 or utf-16.",
)
recipe_encoding_option = click.option(
    "--encoding", metavar="ENCODING", help="Encoding of the recipe's CSVs; short for --set data.encoding=ENCODING."
)
set_option = click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key, such as train.epochs=3."
)
budget_option = click.option(
    "--max-failed", metavar="N|P%", type=BUDGET, help="Fail the job if more than N rows or P% cannot be scored."
)


def combine(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator for several options, which the help shows in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def parse_changes(pairs: tuple[str, ...], encoding: str | None = None) -> dict[str, str]:
    """Return the values of `--set` by dotted key; of equal keys the last one holds, and --set before --encoding.

    Raises:
        click.UsageError: a change has no equals sign.
    """
    changes = {"data.encoding": encoding} if encoding else {}
    return changes | dict(map(_parse_change, pairs))


def _parse_change(change: str) -> tuple[str, str]:
    key, equals, value = change.partition("=")
    if not equals:
        raise click.UsageError(f"--set {change}: write KEY=VALUE, {hints.change()}", click.get_current_context())
    return key, value
