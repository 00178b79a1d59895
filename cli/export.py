"""`relex export`: a job's results as files, or on standard output."""

import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from cli.context import open_app, stderr_console
from cli.exit_codes import ExitCode
from cli.params import FILE, FOLDER, MAX_ERROR, job_argument, parse_selection, quiet_option, selection_options
from cli.progress import print_lines
from cli.quality_text import quality_lines
from relex.db.connection import Database
from relex.domain.acceptance import Acceptance
from relex.domain.jobs import Progress
from relex.errors import counted, printable
from relex.files.atomic import require_writable
from relex.files.layouts import Format, Layout
from relex.flows.export import DEFAULT, Export, ExportOptions, export, export_to_stream
from relex.flows.status import job_status
from relex.hints import jobs as hints
from relex.hints import next_steps

STDOUT = Path("-")
CONTENTS = {
    Layout.SUBMISSION: "id,pred_label,probs",
    Layout.REVIEW: "your columns, pred_label, confidence, second_label, margin, flags",
    Layout.WIDE: "id,pred_label and a column for each label",
}
"""The columns of each layout, as the summary of an export names them."""


@click.command("export")
@job_argument
@click.option("--out", metavar="DIR|-", required=True, type=FOLDER, help="Folder to write to; - is standard output.")
@click.option(
    "--layout",
    type=click.Choice([each.value for each in Layout]),
    help="Columns of the file, as described above.  [default: submission; review with --max-error]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice([each.value for each in Format]),
    default=Format.CSV.value,
    show_default=True,
    help="Format of the file.",
)
@selection_options
@click.option(
    "--max-error", metavar="P%", type=MAX_ERROR, help="Accept rows of which at most P% are wrong, such as 10%."
)
@click.option("--accepted-only", is_flag=True, help="Write only the accepted rows.")
@click.option("--rest", metavar="FILE", type=FILE, help="Write all other rows to FILE, as a review.")
@click.option("--partial", is_flag=True, help="Write the predictions that a job has before it is done.")
@click.option("--excel", is_flag=True, help="Also copy each CSV for spreadsheets: BOM, CRLF, formulas escaped.")
@quiet_option
def export_command(job_ref: str, out: Path, *, quiet: bool, **options: Any) -> None:
    """Write the results of the job JOB_ID (an id, a unique prefix, or @last); without it, of the newest job.

    \b
    submission  id, pred_label, probs (a JSON list)
    review      all columns of the input, pred_label,
                confidence, second_label, margin, flags
    wide        id, pred_label, a column for each label

    probs is in the order of the .labels.json beside it. confidence is the share of labels that were right among labeled
    rows with the same highest probability; where the model version is not calibrated, it is that probability. margin is
    the distance of the two highest probabilities; flags has the code of a row's error, truncated, reused and
    contradiction, separated by spaces. A job of `relex submit --check-inverse` also has inverse_label: the label of the
    row with subject and object swapped. JSON Lines have custom_id and, but for a review, probs as an object by label.
    Parquet needs pyarrow, which the extra `parquet` installs. A workbook has room for 1,048,575 rows.

    --label, --min-confidence and --doubtful leave rows out, also those that could not be scored. --doubtful and
    --sort margin put the closest decisions first.

    With --max-error a review has a column accepted: true for the rows above a threshold that keeps the share of wrong
    ones below P% with a probability of 95%, as the labeled rows of the model version's calibration show. If the job has
    drifted from these, they are weighted to its type pairs and sources; if too few are left, nothing is promised.

    With --excel there is also a copy of each CSV, where a ' stands before a cell that a spreadsheet would run as a
    formula, and before one that began with a '. Programs should read JOB.csv, which holds the ids unchanged.

    To look through the predictions, write a workbook: --layout review --format xlsx.

    Example: relex export --out outputs/
    """  # noqa: D301 - click wants the character itself, not the two of a raw string
    console = stderr_console(quiet=quiet)
    export_options = _options(**options)
    _require_places(out, export_options)
    with open_app() as (_, database):
        progress = job_status(database, job_ref)
        if out == STDOUT:
            _export_to_stdout(database, progress.job.id, console, export_options)
            return
        export_to(database, progress.job.id, out, console, export_options)
        print_lines(quality_lines(job_status(database, progress.job.id).job), console)
    if hint := _next_step(progress, out, export_options):
        console.print(hint)


def _require_places(out: Path, options: ExportOptions) -> None:
    """Refuse what cannot be written to, before anything is read."""
    if out == STDOUT:
        _refuse_terminal(options)
    else:
        require_writable(out)
    if options.rest:
        require_writable(options.rest.parent)


def export_to(database: Database, job_id: str, out: Path, console: Console, options: ExportOptions = DEFAULT) -> None:
    """Export a job and name the files."""
    files = export(database, job_id, out, options)
    order = "the smallest margin first" if options.selection.by_margin else f"in the order of {printable(files.input)}"
    console.print(f"{files.predictions}  {counted(files.rows, 'row')}  {_contents(files, options)}, {order}")
    console.print(f"{files.labels}  {files.manifest}")
    if files.errors:
        console.print(f"{files.errors}  {counted(files.failed, 'row')} that could not be scored, and why")
    if files.acceptance:
        console.print(_promise_line(files.acceptance))
    if options.rest:
        console.print(f"{printable(str(options.rest))}  {counted(files.rest, 'row')} that are not accepted")
    for copy in files.spreadsheets:
        console.print(f"{copy}  for spreadsheets: a ' stands before what would be run as a formula")


def _promise_line(acceptance: Acceptance) -> str:
    """Say what is promised of the accepted rows, and what the promise rests on."""
    promise = acceptance.promise
    mix = f", weighted to this job's mix (effective sample size {promise.effective_rows:,.0f})" * promise.weighted
    return (
        f"accepted: {acceptance.accepted:,} of {counted(acceptance.rows, 'row')} ({acceptance.share:.1f}%), those of a "
        f"highest probability of at least {promise.threshold:.4f}; at most {100 * promise.max_error:g}% of them are "
        f"wrong, promised at 95% by {counted(acceptance.validation_rows, 'validation row')}{mix}"
    )


def _contents(files: Export, options: ExportOptions) -> str:
    if options.layout is Layout.REVIEW:
        inverse = ", inverse_label" * files.check_inverse
        return CONTENTS[options.layout] + inverse + ", accepted" * (options.max_error is not None)
    return "custom_id, id, pred_label, probs by label" if options.format is Format.JSONL else CONTENTS[options.layout]


def _options(
    layout: str | None, format_: str, max_error: float | None, rest: Path | None, **others: Any
) -> ExportOptions:
    """Return the options of an export.

    Raises:
        click.UsageError: --excel is given for a format that is no CSV, or options do not fit --max-error.
    """
    ctx = click.get_current_context()
    partial, excel, accepted_only = (others.pop(name) for name in ("partial", "excel", "accepted_only"))
    if excel and format_ != Format.CSV:
        raise click.UsageError("--excel copies CSVs; a workbook opens as it is", ctx)
    if max_error is None and (accepted_only or rest):
        option = "--accepted-only" if accepted_only else "--rest"
        raise click.UsageError(f"{option} needs an error that is promised, {hints.max_error()}", ctx)
    if max_error is not None and layout not in (None, Layout.REVIEW) and not accepted_only:
        raise click.UsageError(f"the layout {layout} has no column accepted; {hints.accepted_only()}", ctx)
    chosen = layout or (Layout.SUBMISSION if max_error is None else Layout.REVIEW)
    return ExportOptions(
        Layout(chosen), Format(format_), parse_selection(**others), partial, excel, max_error, accepted_only, rest
    )


def _refuse_terminal(options: ExportOptions) -> None:
    if options.rest:
        raise click.UsageError("--rest stands beside files; name a folder with --out", click.get_current_context())
    if options.excel:
        raise click.UsageError("--excel makes files; name a folder with --out", click.get_current_context())
    if not options.format.is_text and _is_terminal():
        raise click.UsageError(
            f"a terminal cannot show {options.format}; {hints.export_to_folder()}", click.get_current_context()
        )


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _export_to_stdout(database: Database, job_id: str, console: Console, options: ExportOptions) -> None:
    """Write the results and nothing else to standard output; a reader that stops early, such as `head`, is no error."""
    stream = sys.stdout.buffer
    try:
        rows, acceptance = export_to_stream(database, job_id, stream, options)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # what is still buffered goes nowhere
        sys.exit(ExitCode.FAILED)
    console.print(f"{job_id}  {counted(rows, 'row')}")
    if acceptance:
        console.print(_promise_line(acceptance))


def _next_step(progress: Progress, out: Path, options: ExportOptions) -> str | None:
    if not progress.state.ended:
        return next_steps.follow(progress.job.id)
    if progress.failed:
        return next_steps.retry_rows(progress.job.id)
    return next_steps.export_for_review(progress.job.id, out) if options == DEFAULT else None
