"""`relex data`: split a labeled file in two, describe what files hold, and read labels back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cli.completion import complete_job_id
from cli.context import open_app, stderr_console
from cli.params import FILE, FOLDER, TABLE, form_options, quiet_option, read_options
from cli.reading_text import ReadingPrinter
from relex.datasets.page import as_html
from relex.datasets.tables import as_text
from relex.errors import counted, printable, shortened
from relex.files.atomic import new_files, require_writable
from relex.files.options import ReadOptions
from relex.flows.labels import Conflict, LabelsRead, read_labels
from relex.hints import next_steps

CONFLICTS_SHOWN = 5


@click.group("data")
def data_command() -> None:
    """Prepare labeled files before training."""


@data_command.command("split", short_help="Split a labeled file into train and validation.")
@click.argument("table", metavar="FILE", type=TABLE)
@click.option("--out", required=True, metavar="DIR", type=FOLDER, help="Folder to write to.")
@click.option("--group", "by_group", is_flag=True, help="Keep equal sentences and entity words on one side.")
@click.option("--valid-share", metavar="SHARE", default=0.2, show_default=True, help="Share of the validation rows.")
@click.option("--seed", metavar="N", default=42, show_default=True, help="Seed; the same one gives the same split.")
@read_options
@quiet_option
def split_command(table: Path, out: Path, reading: ReadOptions, *, quiet: bool, **options: Any) -> None:
    """Write train_data.csv and valid_data.csv: stratified by label, or grouped by sentence and entity words.

    A model that remembers names scores high on a stratified split; a grouped split validates on new names only.

    Example: relex data split train.csv --out split/ --group
    """
    from relex.flows.data import SplitOptions, split_file  # noqa: PLC0415 - it imports scikit-learn

    console = stderr_console(quiet=quiet)
    files = split_file(table, out, SplitOptions(**options), reading, ReadingPrinter(console))
    for path, rows in ((files.train, files.split.train), (files.valid, files.split.valid)):
        console.print(f"{printable(str(path))}  {counted(len(rows), 'row')}")
    if options["by_group"]:
        console.print(f"largest group that had to stay together: {counted(files.split.largest_group, 'row')}")


@data_command.command("describe", short_help="Count what files hold, and compare them.")
@click.argument("tables", metavar="FILE...", nargs=-1, required=True, type=TABLE)
@click.option("--html", type=FILE, metavar="FILE", help="Write one HTML page with charts.")
@click.option("--tokenizer", metavar="FILE", type=FILE, help="tokenizer.json for lengths.  [default: relex's]")
@read_options
@quiet_option
def describe_command(
    tables: tuple[Path, ...], html: Path | None, tokenizer: Path | None, reading: ReadOptions, *, quiet: bool
) -> None:
    """Show labels, types, lengths, duplicates and conflicts of files, and how far each has shifted from the first.

    Example: relex data describe train_data.csv valid_data.csv test_data.csv --html data.html
    """
    from relex.flows.data import DEFAULT_TOKENIZER, describe_files  # noqa: PLC0415 - it imports pandas

    console = stderr_console(quiet=quiet)
    printer = ReadingPrinter(console, named=len(tables) > 1)
    description = describe_files(tables, tokenizer or DEFAULT_TOKENIZER, reading, printer)
    click.echo(as_text(description))
    if html:
        with new_files(html.parent) as staging:
            (staging / html.name).write_bytes(as_html(description).encode())
        console.print(printable(str(html)))


@data_command.command("labels", short_help="Read the labels that people gave to a review.")
@click.argument("tables", metavar="FILE...", nargs=-1, required=True, type=TABLE)
@click.option("--out", required=True, metavar="FILE", type=FILE, help="Training file to write, in KLUE-RE's columns.")
@click.option(
    "--job",
    "job_ref",
    metavar="JOB_ID",
    shell_complete=complete_job_id,
    help="Job of the rows.  [default: as FILE says]",
)
@form_options
@quiet_option
def labels_command(
    tables: tuple[Path, ...], out: Path, job_ref: str | None, reading: ReadOptions, *, quiet: bool
) -> None:
    """Read the answers to a `relex review`: into a training file, and into the job, whose status then has true scores.

    FILE is the CSV or workbook with its column `answer` filled in, an export of Label Studio (JSON, JSON_MIN or CSV),
    or the records of Argilla (`dataset.records.to_json`). Several files of one job are read together. A row without an
    answer is left out. A cancelled annotation is no answer, and one that is marked as ground truth stands for all.

    Rows that people label differently go to OUT.conflicts.csv and nowhere else. If any row cannot be read, nothing is
    written. A label that a row of the job has already is replaced.

    Example: relex data labels review.csv --out labeled.csv
    """
    console = stderr_console(quiet=quiet)
    require_writable(out.parent)
    with open_app() as (_, database):
        read = read_labels(database, tables, out, job_ref, reading)
    console.print(f"{printable(str(read.train))}  {counted(read.labels, 'row')} of {read.job}")
    for note in _notes(read):
        console.print(note)
    console.print(next_steps.status(read.job))


def _notes(read: LabelsRead) -> Iterator[str]:
    if read.conflicts:
        yield f"{printable(str(read.conflicts_path))}  {counted(len(read.conflicts), 'row')} with different answers:"
        yield from map(_conflict, read.conflicts[:CONFLICTS_SHOWN])
        if len(read.conflicts) > CONFLICTS_SHOWN:
            yield f"  ... {len(read.conflicts) - CONFLICTS_SHOWN:,} more"
    if read.unanswered:
        yield f"{counted(read.unanswered, 'row')} without an answer"
    if read.undrawn:
        yield f"note: {counted(read.undrawn, 'label')} of rows drawn nobody knows how, which do not count in the scores"


def _conflict(conflict: Conflict) -> str:
    answers = ", ".join(f"{label} ({count})" for label, count in conflict.answers.items())
    return f"  id {shortened(conflict.example.id)}: {answers}"
