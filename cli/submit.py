"""`relex submit`: check a file, upload it, and, on request, wait for the predictions."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from cli.context import open_app, stderr_console
from cli.export import export_to
from cli.notify import notify_scorers
from cli.params import (
    FILE,
    FOLDER,
    PRIORITY,
    budget_option,
    encoding_option,
    follow_option,
    json_option,
    model_option,
    quiet_option,
)
from cli.progress import exit_with, follow_job
from relex.db.connection import Database
from relex.domain.jobs import JobState
from relex.errors import InvalidCsv, counted, printable
from relex.files.atomic import require_writable
from relex.files.problems import FileFacts, describe_problems
from relex.files.validation import check_csv
from relex.flows.submit import Submission, SubmitOptions, submit
from relex.hints import jobs as hints
from relex.hints import next_steps
from relex.settings import Settings

MAX_STEM = 80
"""Characters of the input's name in the name of the rejected rows' file: three bytes each in Hangul, of 255."""


@click.command("submit")
@click.argument("csv", type=FILE)
@model_option
@encoding_option
@click.option("--skip-invalid", is_flag=True, help="Skip invalid rows and submit the others.")
@click.option("--again", is_flag=True, help="Create a new job even if this file has one; reuse cached predictions.")
@click.option("--fresh", is_flag=True, help="Score every row again instead of reusing predictions; implies --again.")
@click.option("--exact", is_flag=True, help="Score in fp32 even if the model passed the 16-bit parity check.")
@click.option("--priority", metavar="N", type=PRIORITY, help="Priority; higher ones are scored first.  [default: 0]")
@budget_option
@follow_option
@click.option("--export", "out", metavar="DIR", type=FOLDER, help="Follow, then export to DIR.")
@json_option
@quiet_option
def submit_command(csv: Path, out: Path | None, *, follow: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Check CSV, upload its rows and queue them; prints the job's id.

    Columns: id, sentence, subject_entity, object_entity; label and source are optional. An entity is
    {'word': ..., 'start_idx': ..., 'end_idx': ..., 'type': ...}, its end_idx inclusive. A file with invalid rows
    is refused as a whole, and these rows are written to a new .rejected.csv in the current folder (or in
    RELEX_OUTPUT_DIR).

    Example: relex submit data/test_data.csv --follow --export outputs/
    """
    console, submit_options = stderr_console(quiet=quiet), SubmitOptions(**options)
    if out:
        require_writable(out)
    facts = _check(csv, submit_options, console)
    with open_app() as (settings, database):
        submission = submit(database, csv, facts, submit_options, settings.shard_rows)
        _print_submission(submission, facts, settings, console)
        notify_scorers(settings, max(submission.shards, 1), console)  # also for an existing job: its worker may be dead
        click.echo(json.dumps(_data(submission, facts)) if as_json else submission.job_id)
        if follow or out:
            _finish(settings, database, submission, out, console)
        elif not as_json:
            is_done = submission.existing_state is JobState.DONE
            console.print((next_steps.export if is_done else next_steps.follow)(submission.job_id))


def _finish(settings: Settings, database: Database, submission: Submission, out: Path | None, console: Console) -> None:
    """Follow the job, export it where that is wanted, and exit accordingly."""
    progress = follow_job(settings, database, submission.job_id, console)
    if out and progress.state is JobState.DONE:
        export_to(database, submission.job_id, out, console)
    exit_with(progress, console)


def _check(csv: Path, options: SubmitOptions, console: Console) -> FileFacts:
    rejected = Settings.from_env().output_path(f"{csv.stem[:MAX_STEM]}.rejected.csv")
    with console.status(Text(f"Checking {printable(str(csv))}")):
        facts = check_csv(csv, options.encoding, rejected)
    rows = counted(facts.rows, "row")
    console.print(f"Checking {printable(str(csv))} ... {rows}, {facts.encoding}, {decimal(facts.size)}")
    for note in facts.notes:
        console.print(f"note: {note}")
    if facts.rejected and not options.skip_invalid:
        skip = f"      {hints.skip_invalid()}" if facts.accepted else ""
        raise InvalidCsv(f"{describe_problems(facts, csv.name)}\nnothing was uploaded; {_where(facts, rejected)}{skip}")
    if facts.rejected:
        skipped = "1 invalid row is skipped" if facts.rejected == 1 else f"{facts.rejected:,} invalid rows are skipped"
        console.print(f"note: {skipped}; {_where(facts, rejected)}")
    return facts


def _where(facts: FileFacts, wanted: Path) -> str:
    """Say where the invalid rows are, or why they could not be written."""
    if facts.rejected_to:
        return f"all of them: {printable(str(facts.rejected_to))}"
    return f"they are in no file: {printable(str(wanted))} cannot be written: {facts.rejected_error}"


def _print_submission(submission: Submission, facts: FileFacts, settings: Settings, console: Console) -> None:
    if submission.existing_state:
        ways = [hints.resume(submission.job_id)] if submission.existing_state is JobState.PAUSED else []
        before = f"note: this file was submitted before with {submission.model} ({submission.existing_state})"
        console.print("; ".join([before, *ways, hints.submit_again()]))
        for change in submission.changes:
            console.print(f"note: {change}")
        return
    where = "" if settings.broker_url else " (scoring continues in the background on this machine)"
    rows, shards = counted(facts.accepted, "row"), counted(submission.shards, "shard")
    console.print(f"Uploaded {rows}, {shards} queued for {submission.model}{where}")


def _data(submission: Submission, facts: FileFacts) -> dict[str, Any]:
    return {
        "job": submission.job_id,
        "model": submission.model,
        "existing": submission.existing_state is not None,
        "total": facts.accepted,
        "rejected": facts.rejected,
        "sha256": facts.sha256,
    }
