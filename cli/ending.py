"""How a command ends that waited for a job: files written, last words, exit code."""

import sys
from pathlib import Path

import click
from rich.console import Console

from cli.exits import Exit
from cli.render import duration
from relex.db.connection import Database
from relex.errors import counted, printable
from relex.flows.export import export
from relex.jobs import JobState, Progress
from relex.runs import RunState, TrainingRun


def export_to(
    database: Database, given: str, out: Path, console: Console, *, partial: bool = False, excel: bool = False
) -> None:
    """Export a job and name the files."""
    files = export(database, given, out, partial=partial, excel=excel)
    order = f"in the order of {printable(files.input)}"
    console.print(f"{files.predictions}  {counted(files.rows, 'row')}  id,pred_label,probs, {order}")
    console.print(f"{files.labels}  {files.manifest}")
    if files.errors:
        console.print(f"{files.errors}  {counted(files.failed, 'row')} that could not be scored, and why")
    for copy in files.spreadsheets:
        console.print(f"{copy}  for spreadsheets: a ' stands before what would be run as a formula")


def end_with(ended: Progress | TrainingRun, console: Console) -> None:
    """Say how a job or a run ended and exit accordingly.

    Raises:
        SystemExit: with 1 where it failed or was cancelled, 6 where rows of a job failed; not where all is well.
    """
    if isinstance(ended, Progress):
        _end_job(ended, console)
    elif ended.state is RunState.FAILED:
        click.echo(f"error: {ended.error}", err=True)
        sys.exit(Exit.FAILED)
    elif ended.state is RunState.CANCELLED:
        click.echo(f"{ended.id} was cancelled", err=True)
        sys.exit(Exit.FAILED)
    else:
        console.print(f"registered as {ended.model}; `relex models` shows which version is current")


def _end_job(progress: Progress, console: Console) -> None:
    job = progress.job
    console.print(
        f"{job.id} {progress.state}: {progress.done:,} of {counted(job.total, 'row')} in {duration(progress.seconds)}"
    )
    if progress.reason:
        console.print(f"error: {printable(progress.reason)}")
    if progress.state is not JobState.DONE:
        sys.exit(Exit.FAILED)
    if progress.failed:
        console.print(
            f"{counted(progress.failed, 'row')} could not be scored; `relex export` lists them with their reasons"
        )
        sys.exit(Exit.ROWS_FAILED)
