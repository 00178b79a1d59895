"""`relex export`: a job's predictions as files."""

from pathlib import Path

import click

from cli.context import opened, quiet_option, talk
from cli.ending import export_to
from relex.db.ids import LAST
from relex.files.atomic import require_writable


@click.command("export", short_help="Write a job's predictions to files.")
@click.argument("given", metavar="[JOB_ID]", default=LAST)
@click.option(
    "--out", metavar="DIR", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to."
)
@click.option("--partial", is_flag=True, help="Take what is there of a job that is not done.")
@click.option("--excel", is_flag=True, help="Copy each CSV for spreadsheets: BOM, CRLF, formulas made harmless.")
@quiet_option
def export_command(given: str, out: Path, *, partial: bool, excel: bool, quiet: bool) -> None:
    """Write the predictions of JOB_ID (without it: of the newest job) as id,pred_label,probs.

    probs is a JSON list of 30 probabilities in the order of the .labels.json beside it. The manifest names the
    input, the model and their digests.

    With --excel there is also JOB.excel.csv, where a ' stands before a cell that a spreadsheet would run as a formula,
    and before one that began with a '. Programs should read JOB.csv, where ids are exactly as they came in.

    Example: relex export --out outputs/
    """
    require_writable(out)
    with opened() as (_, database):
        export_to(database, given, out, talk(quiet=quiet), partial=partial, excel=excel)
