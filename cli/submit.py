"""`relex submit`: read files, upload their rows, and, on request, wait for the predictions."""

import json
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from cli.context import open_app, stderr_console
from cli.export import export_to
from cli.job_text import next_export
from cli.notify import notify_scorers
from cli.params import (
    FOLDER,
    PRIORITY,
    TABLE,
    budget_option,
    follow_option,
    json_option,
    model_option,
    quiet_option,
    read_options,
)
from cli.progress import exit_if_drifted, exit_with, follow_job, print_end, print_lines
from cli.quality_text import drift_lines
from cli.reading_text import ReadingPrinter
from relex.db.connection import Database
from relex.domain.drift import Drift, Level
from relex.domain.jobs import JobState
from relex.errors import InvalidCsv, counted, printable
from relex.files.atomic import require_writable
from relex.files.facts import FileFacts, describe_problems, file_hints
from relex.files.inputs import InputFile, open_inputs
from relex.files.options import ReadOptions
from relex.files.validation import check
from relex.flows.quality import assess
from relex.flows.status import job_status
from relex.flows.submit import CheckedFile, Submission, SubmitOptions, check_files, submit
from relex.hints import jobs as hints
from relex.hints import next_steps
from relex.lazy import load_two_sample_test
from relex.settings import Settings

MAX_STEM = 80
"""Characters of the input's name in the name of the rejected rows' file: three bytes each in Hangul, of 255."""


@click.command("submit")
@click.argument("tables", metavar="FILE...", nargs=-1, required=True, type=TABLE)
@model_option
@read_options
@click.option("--skip-invalid", is_flag=True, help="Skip invalid rows and submit the others.")
@click.option("--again", is_flag=True, help="Create a new job even if this file has one; reuse cached predictions.")
@click.option("--fresh", is_flag=True, help="Score every row again instead of reusing predictions; implies --again.")
@click.option("--exact", is_flag=True, help="Score in fp32 even if the model passed the 16-bit parity check.")
@click.option("--check-inverse", is_flag=True, help="Score each row with subject and object swapped too, for a review.")
@click.option("--priority", metavar="N", type=PRIORITY, help="Priority; higher ones are scored first.  [default: 0]")
@budget_option
@click.option(
    "--fail-on-drift",
    type=click.Choice([Level.SOME.value, Level.LARGE.value]),
    help="Exit with 6 if the rows have drifted this far; they are scored all the same.",
)
@follow_option
@click.option(
    "--export",
    "out",
    metavar="DIR",
    type=FOLDER,
    help="Follow, then write id, pred_label and probs as CSV to DIR; `relex export` knows other layouts.",
)
@json_option
@quiet_option
def submit_command(
    tables: tuple[Path, ...],
    reading: ReadOptions,
    out: Path | None,
    *,
    follow: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Read each FILE, upload its rows and queue them as a job; prints the job's id.

    A FILE is a CSV with any separator, JSON lines, JSON, Parquet or a workbook, also packed with gzip or zstd; - is
    standard input. Columns: id, sentence, subject_entity, object_entity; label and source are optional. An entity is
    {'word': ..., 'start_idx': ..., 'end_idx': ..., 'type': ...}, its end_idx inclusive; docs/how-to/my-excel-file.md
    lists what else is understood. A file with invalid rows is refused as a whole, and so are all files with it; these
    rows are written to a new .rejected.csv in the current folder (or in RELEX_OUTPUT_DIR).

    Example: relex submit data/test_data.csv --follow --export outputs/
    """
    limit = Level(drift) if (drift := options.pop("fail_on_drift")) else None
    console, submit_options = stderr_console(quiet=quiet), SubmitOptions(**options, needs_calibration=bool(limit))
    if out:
        require_writable(out)
    with open_inputs(_expanded(tables), reading) as files:
        printer = _CheckPrinter(console, skip_invalid=submit_options.skip_invalid, named=len(files) > 1)
        checked = _check(files, printer)
        with open_app() as (settings, database):
            submissions = _upload(database, checked, submit_options, settings, printer)
            _print_jobs(files, submissions, printer, settings, as_json=as_json)
            if follow or out:
                drifts = _finish(settings, database, submissions, out, console)
            else:
                drifts = _leave(submissions, console, as_json=as_json)
    for drift in drifts:
        exit_if_drifted(drift, limit)


def _check(files: Sequence[InputFile], printer: "_CheckPrinter") -> list[CheckedFile]:
    with printer.console.status(Text("Reading")):
        return check_files(files, printer.check)


def _upload(
    database: Database,
    checked: Sequence[CheckedFile],
    options: SubmitOptions,
    settings: Settings,
    printer: "_CheckPrinter",
) -> list[Submission]:
    with printer.console.status(Text("Uploading")):
        return submit(database, checked, options, settings.shard_rows, printer.check)


def _leave(submissions: Sequence[Submission], console: Console, *, as_json: bool) -> list[Drift | None]:
    """Print the next step, and return the drift of each job as it was submitted."""
    if not as_json:
        _print_next_step(submissions[-1], console)
    return [each.drift for each in submissions]


def _print_jobs(
    files: Sequence[InputFile],
    submissions: Sequence[Submission],
    printer: "_CheckPrinter",
    settings: Settings,
    *,
    as_json: bool,
) -> None:
    """Print how each file was read and its job, and notify workers."""
    for file, submission in zip(files, submissions, strict=True):
        printer.print(file, submission.total + submission.rejected, submission.notes)
        _print_submission(submission, settings, printer.console)
        if submission.drift:
            print_lines(drift_lines(submission.drift), printer.console)
    # For existing jobs too: their workers may be dead.
    notify_scorers(settings, max(sum(each.shards for each in submissions), 1), printer.console)
    for file, submission in zip(files, submissions, strict=True):
        click.echo(json.dumps(_data(submission, file)) if as_json else submission.job_id)


def _expanded(tables: Sequence[Path]) -> list[Path]:
    """Return the files that patterns such as `*.csv` stand for, where no shell has expanded them."""
    expanded: list[Path] = []
    for table in tables:
        is_pattern = has_magic(str(table)) and not table.exists()
        matches = sorted(map(Path, glob(str(table)))) if is_pattern else []  # noqa: PTH207 - from any folder
        expanded += matches or [table]
    return expanded


def _finish(
    settings: Settings, database: Database, submissions: Sequence[Submission], out: Path | None, console: Console
) -> list[Drift | None]:
    """Follow the jobs, export them if requested, and exit as the first that did not succeed.

    Returns:
        The drift of each job, where all succeeded.
    """
    ended = []
    for submission in submissions:
        progress = follow_job(settings, database, submission.job_id, console)
        if progress.state is JobState.DONE:
            # Before the worker that ended the job has done so: the drift at the end decides.
            assess(database, submission.job_id, load_two_sample_test)
            progress = job_status(database, submission.job_id)
        if out and progress.state is JobState.DONE:
            export_to(database, submission.job_id, out, console)
        print_end(progress, console)
        ended.append(progress)
    for progress in ended:
        exit_with(progress, console, shown=True)
    return [progress.job.drift for progress in ended]


class _CheckPrinter(ReadingPrinter):
    """A printer of how each file was read, which refuses a file with invalid rows or says that they are skipped."""

    def __init__(self, console: Console, *, skip_invalid: bool, named: bool) -> None:
        super().__init__(console, named=named)
        self._skip_invalid = skip_invalid

    def check(self, file: InputFile) -> FileFacts:
        """Check all rows of a file; the invalid ones are written to a file of their own.

        Raises:
            InvalidCsv: there are invalid rows, and they may not be skipped.
        """
        rejected = Settings.from_env().output_path(f"{Path(file.name).stem[:MAX_STEM]}.rejected.csv")
        facts = check(file, rejected)
        self(file, facts)
        if facts.rejected and not self._skip_invalid:
            skip = f"      {hints.skip_invalid()}" if facts.accepted else ""
            where = f"nothing was uploaded; {_where(facts, rejected)}{skip}"
            raise InvalidCsv(f"{describe_problems(facts, file.name)}\n{where}{file_hints(facts)}")
        if facts.rejected:
            skipped = f"{counted(facts.rejected, 'invalid row')} {'is' if facts.rejected == 1 else 'are'} skipped"
            self.console.print(f"note: {skipped}; {_where(facts, rejected)}")
        return facts


def _where(facts: FileFacts, rejected_path: Path) -> str:
    """Say where the invalid rows are, or why they could not be written."""
    if facts.rejected_to:
        return f"all of them: {printable(str(facts.rejected_to))}"
    return f"they are in no file: {printable(str(rejected_path))} cannot be written: {facts.rejected_error}"


def _print_submission(submission: Submission, settings: Settings, console: Console) -> None:
    if submission.existing_state:
        ways = [hints.resume(submission.job_id)] if submission.existing_state is JobState.PAUSED else []
        before = f"note: this file was submitted before with {submission.model} ({submission.existing_state})"
        console.print("; ".join([before, *ways, hints.submit_again()]))
        for change in submission.changes:
            console.print(f"note: {change}")
        return
    where = "" if settings.broker_url else " (scoring continues in the background on this machine)"
    rows, shards = counted(submission.total, "row"), counted(submission.shards, "shard")
    console.print(f"Uploaded {rows}, {shards} queued for {submission.model}{where}")


def _print_next_step(submission: Submission, console: Console) -> None:
    is_done = submission.existing_state is JobState.DONE
    hint = next_export(submission.job_id) if is_done else next_steps.follow(submission.job_id)
    if hint:
        console.print(hint)


def _data(submission: Submission, file: InputFile) -> dict[str, Any]:
    return {
        "job": submission.job_id,
        "file": file.name,
        "model": submission.model,
        "existing": submission.existing_state is not None,
        "total": submission.total,
        "rejected": submission.rejected,
        "sha256": file.sha256,
        "drift": submission.drift.to_data() if submission.drift else None,
    }
