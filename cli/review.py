"""`relex review`: rows of a job for a person to label."""

from collections.abc import Iterator
from pathlib import Path

import click

from cli.context import open_app, stderr_console
from cli.params import FILE, job_argument, quiet_option
from relex.domain.review import DrawnBy
from relex.errors import counted, printable
from relex.files.atomic import require_writable
from relex.files.reviews import ReviewFormat
from relex.flows.review import Review, review
from relex.hints import next_steps

MAX_ROWS = 100_000
"""Maximum number of rows of a review."""
WAYS = {
    DrawnBy.LABEL_ERROR: "likely label errors",
    DrawnBy.MARGIN: "of the smallest margin",
    DrawnBy.TYPE_PAIR: "drawn at random by type pair",
}


@click.command("review")
@job_argument
@click.option(
    "--rows", metavar="N", type=click.IntRange(1, MAX_ROWS), default=200, show_default=True, help="Number of rows."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice([each.value for each in ReviewFormat]),
    help="Format of the file.  [default: xlsx if FILE ends so, else csv]",
)
@click.option("--out", metavar="FILE", required=True, type=FILE, help="File to write; never replaced.")
@click.option("--seed", metavar="N", default=0, show_default=True, help="Seed of the random rows.")
@quiet_option
def review_command(job_ref: str, rows: int, format_: str | None, out: Path, *, seed: int, quiet: bool) -> None:
    """Write rows of the job JOB_ID (an id, a unique prefix, or @last) that are most worth labeling by hand.

    JOB_ID defaults to the newest job. Half of the rows are spread at random over the type pairs. The others have the
    smallest margins; if rows have gold labels, half of these others are likely label errors, the worst first.

    Fill in the column answer with one of the labels of `relex labels`; a workbook offers them as a list. Beside the
    tasks for Label Studio stands the labeling interface, FILE.config.xml.

    drawn_by says why a row is in the file, weight for how many rows of the job it stands. Leave these columns as they
    are: the scores that `relex status` computes from your answers rest on them.

    Example: relex review @last --rows 200 --out review.xlsx
    """
    console = stderr_console(quiet=quiet)
    require_writable(out.parent)
    chosen = ReviewFormat(format_ or (ReviewFormat.XLSX if out.suffix.lower() == ".xlsx" else ReviewFormat.CSV))
    with open_app() as (_, database):
        written = review(database, job_ref, out, rows, chosen, seed)
    console.print(
        f"{printable(str(out))}  {counted(written.rows, 'row')} of {written.job}: {', '.join(_ways(written))}"
    )
    if written.config:
        console.print(f"{printable(str(written.config))}  the labeling interface for Label Studio")
    for note in written.notes:
        console.print(f"note: {printable(note)}")
    console.print(next_steps.read_labels(out))


def _ways(written: Review) -> Iterator[str]:
    for way, words in WAYS.items():
        if count := written.drawn[way]:
            yield f"{count:,} {words}"
