"""`relex show`: the first results of a job as a small table."""

from collections.abc import Sequence

import click

from cli.context import open_app
from cli.params import job_argument, limit_option
from cli.tables import Column, Table, number, print_parts
from relex.domain.results import Result, Selection
from relex.errors import printable
from relex.flows.results import first_results

MAX_SENTENCE_CHARS = 24
"""Characters of a sentence that are shown; `relex export --layout review` writes all of them."""


@click.command("show")
@job_argument
@limit_option
@click.option("--label", "labels", metavar="LABEL", multiple=True, help="Show only this predicted label; repeatable.")
@click.option("--doubtful", is_flag=True, help="Show the rows of the smallest margin instead of the first ones.")
def show_command(job_ref: str, limit: int, labels: tuple[str, ...], *, doubtful: bool) -> None:
    """Show the first predictions of the job JOB_ID (an id, a unique prefix, or @last), or the most doubtful ones.

    Without JOB_ID it takes the newest job. A long sentence is shortened; `relex export --layout review` writes all.

    Example: relex show --doubtful -n 5
    """
    with open_app() as (_, database):
        results = first_results(database, job_ref, Selection(labels, by_margin=doubtful, limit=limit))
    print_parts([results_table(results)])


def results_table(results: Sequence[Result]) -> Table:
    """Return the table of some results; the relation is what was asked for, so no terminal shortens it."""
    columns = (
        Column("sentence", rank=3, min_width=16),
        Column("subject", rank=1, min_width=len("subject")),
        Column("object", rank=1, min_width=len("object")),
        Column("relation"),
        number("confidence", rank=2),
    )
    return Table(columns, [_row(result) for result in results])


def _row(result: Result) -> tuple[str, ...]:
    sentence, subject, object_ = map(printable, result.inputs)
    short = sentence if len(sentence) <= MAX_SENTENCE_CHARS else f"{sentence[:MAX_SENTENCE_CHARS].rstrip()}..."
    return short, subject, object_, str(result.label), f"{result.confidence or 0:.2f}"
