"""Options, arguments and parameter types that several commands share."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from cli.completion import complete_any_id, complete_job_id, complete_model
from relex.db.ids import LAST
from relex.domain.acceptance import parse_max_error
from relex.domain.jobs import MaxFailed
from relex.domain.results import Selection
from relex.errors import InvalidInput
from relex.files.options import FORMATS, OCCURRENCES, OFFSETS, READ_OPTIONS, ReadOptions
from relex.hints import jobs as hints

Command = TypeVar("Command", bound=Callable[..., Any])

MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10080}
"""Minutes in each unit of an age."""


def combine(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator for several options, which the help shows in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


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


class MaxError(click.ParamType[float]):
    """A share of wrong rows: `10%` or `0.1`."""

    name = "error"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the share."""
        try:
            return value if isinstance(value, float) else parse_max_error(value)
        except InvalidInput as error:
            self.fail(str(error), param, ctx)


AGE, BUDGET, MAX_ERROR = Age(), Budget(), MaxError()
PRIORITY = click.IntRange(-100, 100)
FILE = click.Path(path_type=Path, dir_okay=False)
TABLE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
"""A file with rows; `-` is standard input."""
FOLDER = click.Path(path_type=Path, file_okay=False)

OCCURRENCE_HELP = "Which place of a word without offsets is meant if there are several."

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
FORM_OPTION_LIST = (
    click.option("--encoding", "read_encoding", metavar="ENCODING", help="Encoding, such as cp949 or utf-16."),
    click.option("--delimiter", "read_delimiter", metavar="CHAR", help="Separator of the columns: , ; | or tab."),
    click.option("--format", "read_format", type=click.Choice(FORMATS), help="Format of the file."),
    click.option("--sheet", "read_sheet", metavar="NAME", help="Sheet of a workbook.  [default: the first one]"),
)
READ_OPTION_LIST = (
    *FORM_OPTION_LIST,
    click.option(
        "--columns", "read_columns", metavar="NAME=COLUMN", help="Names of columns: sentence=문장,label=관계."
    ),
    click.option("--occurrence", "read_occurrence", type=click.Choice(OCCURRENCES), help=OCCURRENCE_HELP),
    click.option("--offsets", "read_offsets", type=click.Choice(OFFSETS), help="How offsets are counted."),
)
"""Options that say how a table is read; without them the file itself decides."""
set_option = click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key, such as train.epochs=3."
)
selection_options = combine(
    click.option(
        "--label", "labels", metavar="LABEL", multiple=True, help="Keep only this predicted label; repeatable."
    ),
    click.option(
        "--min-confidence", metavar="P", type=click.FloatRange(0, 1), help="Keep only confident rows, as 0.9."
    ),
    click.option("--doubtful", metavar="N", type=click.IntRange(1), help="Keep the N rows of the smallest margin."),
    click.option(
        "--sort", type=click.Choice(["input", "margin"]), default="input", show_default=True, help="Order of the rows."
    ),
)
"""Options that choose results; they make a `Selection`."""
budget_option = click.option(
    "--max-failed", metavar="N|P%", type=BUDGET, help="Fail the job if more than N rows or P% cannot be scored."
)


def parse_selection(
    labels: tuple[str, ...], min_confidence: float | None, doubtful: int | None, sort: str
) -> Selection:
    """Return the selection of `selection_options`."""
    return Selection(labels, min_confidence, by_margin=doubtful is not None or sort == "margin", limit=doubtful)


def read_options(command: Command, options: Sequence[Callable[[Any], Any]] = READ_OPTION_LIST) -> Command:
    """Add the options that say how a table is read, and pass them to the command as `reading`."""

    @wraps(command)
    def with_reading(**arguments: Any) -> Any:
        texts = {name: arguments.pop(f"read_{name}", None) for name in READ_OPTIONS}
        try:
            reading = ReadOptions.parse(**texts)
        except InvalidInput as error:
            raise click.UsageError(f"--{error}", click.get_current_context()) from error
        return command(reading=reading, **arguments)

    return cast("Command", combine(*options)(with_reading))


def form_options(command: Command) -> Command:
    """Add those of them that say which form a file has, and not what its columns hold."""
    return read_options(command, FORM_OPTION_LIST)


def recipe_read_options(command: Command) -> Command:
    """Add the same options to a command of a recipe, and pass them as changes of its section `data`."""

    @wraps(command)
    def with_changes(changes: tuple[str, ...], **arguments: Any) -> Any:
        texts = {name: arguments.pop(f"read_{name}") for name in READ_OPTIONS}
        said = tuple(f"data.{name}={json.dumps(text)}" for name, text in texts.items() if text is not None)
        return command(changes=(*said, *changes), **arguments)

    return cast("Command", combine(*READ_OPTION_LIST)(with_changes))


def parse_changes(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return the values of `--set` by dotted key; of equal keys the last one holds.

    Raises:
        click.UsageError: a change has no equals sign.
    """
    return dict(map(_parse_change, pairs))


def _parse_change(change: str) -> tuple[str, str]:
    key, equals, value = change.partition("=")
    if not equals:
        raise click.UsageError(f"--set {change}: write KEY=VALUE, {hints.change()}", click.get_current_context())
    return key, value
