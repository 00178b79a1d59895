"""`relex export`: a job's predictions as files."""

from pathlib import Path

import click
from rich.console import Console

from cli.context import open_app, stderr_console
from cli.params import FOLDER, job_argument, quiet_option
from relex.db.connection import Database
from relex.domain.jobs import Progress
from relex.errors import counted, printable
from relex.files.atomic import require_writable
from relex.flows.export import export
from relex.flows.status import job_status
from relex.hints import next_steps


@click.command("export")
@job_argument
@click.option("--out", metavar="DIR", required=True, type=FOLDER, help="Folder to write to.")
@click.option("--partial", is_flag=True, help="Write the predictions that a job has before it is done.")
@click.option("--excel", is_flag=True, help="Also copy each CSV for spreadsheets: BOM, CRLF, formulas escaped.")
@quiet_option
def export_command(job_ref: str, out: Path, *, partial: bool, excel: bool, quiet: bool) -> None:
    """Write the predictions of the job JOB_ID (an id, a unique prefix, or @last) as id,pred_label,probs.

    Without JOB_ID it takes the newest job. probs is a JSON list of 30 probabilities in the order of the .labels.json
    beside it. The manifest names the input, the model and their digests.

    With --excel there is also JOB.excel.csv, where a ' stands before a cell that a spreadsheet would run as a formula,
    and before one that began with a '. Programs should read JOB.csv, which holds the ids unchanged.

    Example: relex export --out outputs/
    """
    console = stderr_console(quiet=quiet)
    require_writable(out)
    with open_app() as (_, database):
        progress = job_status(database, job_ref)
        export_to(database, progress.job.id, out, console, partial=partial, excel=excel)
    if hint := _next_step(progress, out, excel=excel):
        console.print(hint)


def _next_step(progress: Progress, out: Path, *, excel: bool) -> str | None:
    if not progress.state.ended:
        return next_steps.follow(progress.job.id)
    if progress.failed:
        return next_steps.retry_rows(progress.job.id)
    return None if excel else next_steps.export_for_spreadsheets(progress.job.id, out)


def export_to(
    database: Database, job_id: str, out: Path, console: Console, *, partial: bool = False, excel: bool = False
) -> None:
    """Export a job and name the files."""
    files = export(database, job_id, out, partial=partial, excel=excel)
    order = f"in the order of {printable(files.input)}"
    console.print(f"{files.predictions}  {counted(files.rows, 'row')}  id,pred_label,probs, {order}")
    console.print(f"{files.labels}  {files.manifest}")
    if files.errors:
        console.print(f"{files.errors}  {counted(files.failed, 'row')} that could not be scored, and why")
    for copy in files.spreadsheets:
        console.print(f"{copy}  for spreadsheets: a ' stands before what would be run as a formula")
