"""`relex reproduce`: rows of a job scored again, to see whether the bits are the same."""

import json
import sys
from collections.abc import Iterator

import click

from cli.completion import complete_job_id
from cli.context import open_app
from cli.exit_codes import ExitCode
from cli.params import json_option
from cli.tables import Column, Part, Table, number, print_parts
from relex.errors import counted, printable
from relex.flows.reproduce import Reproduction, reproduce, reproduction_data

MAX_ROWS = 100_000
"""Maximum number of rows that are scored again: they are in memory at once."""
MAX_LINES = 15
"""Number of rows with other bits that are shown."""


@click.command("reproduce")
@click.argument("job_ref", metavar="JOB_ID", shell_complete=complete_job_id)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--rows",
    metavar="N",
    type=click.IntRange(1, MAX_ROWS),
    default=100,
    show_default=True,
    help="Number of rows, at equal distances in the file, where no ID is given.",
)
@json_option
def reproduce_command(job_ref: str, ids: tuple[str, ...], rows: int, *, as_json: bool) -> None:
    """Score rows of the job JOB_ID (an id, a unique prefix, or @last) again and compare the bits.

    The rows with the ids ID are scored in this process, from the job's model version, on the device of RELEX_DEVICE.
    Nothing is changed. If a probability is not the same 32-bit number, it prints what has changed since: the device,
    the type of the computation, the versions of libraries.

    Exit codes: 0 all bits are the same, 6 some are not.

    Example: relex reproduce @last --rows 20
    """
    with open_app() as (settings, database):
        result = reproduce(database, settings, job_ref, ids, rows)
    if as_json:
        click.echo(json.dumps(reproduction_data(result), ensure_ascii=False))
    else:
        print_parts(list(reproduction_parts(result)), separator="\n\n")
    if not result.is_same:
        sys.exit(ExitCode.ATTENTION)


def reproduction_parts(result: Reproduction) -> Iterator[Part]:
    """Yield what a person reads of rows that were scored again."""
    yield f"{result.job.id}  {result.job.model}  {_summary(result)}"
    if result.changes:
        columns = (Column("changed since"), Column("then", min_width=12), Column("now", min_width=12), number("rows"))
        rows = [(each.name, printable(each.then), printable(each.now), f"{each.rows:,}") for each in result.changes]
        yield Table(columns, rows)
    if result.unknown:
        yield f"note: what scored {counted(result.unknown, 'row')} is not recorded"
    if result.other and not result.changes and not result.unknown:
        yield "note: nothing that is recorded has changed: neither device nor type nor libraries"
    if result.other:
        yield _rows(result)


def _summary(result: Reproduction) -> str:
    if result.is_same:
        return f"{counted(result.rows, 'row')} scored again: the same bits"
    labels = f"{counted(result.other_labels, 'label')} changed" if result.other_labels else "no label changes"
    return (
        f"{counted(result.rows, 'row')} scored again: other bits in {len(result.other):,}, "
        f"by at most {result.largest_difference:.2g}; {labels}"
    )


def _rows(result: Reproduction) -> Table:
    columns = (Column("row", min_width=12), number("difference"), Column("label"), Column("label now"))
    rows = [
        (
            printable(row.id),
            "" if row.difference is None else f"{row.difference:.2g}",
            row.label,
            "cannot be scored" if row.label_now is None else row.label_now,
        )
        for row in result.other[:MAX_LINES]
    ]
    return Table(columns, rows)
