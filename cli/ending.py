"""How a command ends that waited for a job: files written, last words, exit code."""

import sys
from pathlib import Path

import click
from rich.console import Console

from cli.exits import Exit
from cli.render import duration, job_reason
from relex.db.connection import Database
from relex.domain.jobs import JobState, Progress
from relex.domain.runs import RunState, TrainingRun
from relex.errors import counted, printable
from relex.flows.export import export
from relex.hints import jobs as hints


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


def end_with(ended: Progress | TrainingRun, console: Console, *, shown: bool = False) -> None:
    """Say how a job or a run ended and exit accordingly; why it did not end well is printed under `--quiet` too.

    Args:
        ended: what was waited for.
        console: where to say what is no error.
        shown: whether the job's state and its reason were printed before.

    Raises:
        SystemExit: with 1 where it failed or was cancelled, 6 where rows of a job failed; not where all is well.
    """
    if isinstance(ended, Progress):
        if not shown:
            _print_end(ended, console)
        _exit_of(ended)
    elif ended.state is RunState.FAILED:
        click.echo(f"error: {ended.error}", err=True)
        sys.exit(Exit.FAILED)
    elif ended.state is RunState.CANCELLED:
        click.echo(f"error: {ended.id} was cancelled", err=True)
        sys.exit(Exit.FAILED)
    else:
        console.print(f"registered as {ended.model}; {hints.current_model()}")


def _print_end(progress: Progress, console: Console) -> None:
    job = progress.job
    console.print(
        f"{job.id} {progress.state}: {progress.done:,} of {counted(job.total, 'row')} in {duration(progress.seconds)}"
    )
    if progress.state is not JobState.DONE:
        reason = printable(job_reason(progress) or str(progress.state))
        left = f"; {progress.retry_hint}" if progress.unscored else ""
        click.echo(f"error: {job.id}: {reason}{left}", err=True)
    elif progress.failed:
        failed = f"{progress.failed:,} of {counted(job.total, 'row')} could not be scored"
        click.echo(f"error: {job.id}: {failed}; {hints.export_row_errors(job.id)}", err=True)


def _exit_of(progress: Progress) -> None:
    if progress.state is not JobState.DONE:
        sys.exit(Exit.FAILED)
    if progress.failed:
        sys.exit(Exit.ROWS_FAILED)
