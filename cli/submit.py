"""`relex submit`: check a file, upload it, and, on request, wait for the predictions."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from cli.context import encoding_option, json_option, opened, quiet_option, talk
from cli.ending import end_with, export_to
from cli.values import BUDGET, PRIORITY
from cli.waking import wake
from cli.watching import watch_job
from relex.domain.jobs import JobState
from relex.errors import InvalidCsv, counted, printable
from relex.files.atomic import require_writable
from relex.files.problems import FileFacts, describe_problems
from relex.files.validation import check
from relex.flows.submit import Submission, SubmitOptions, submit
from relex.hints import jobs as hints
from relex.settings import Settings

LONGEST_STEM = 80
"""Characters of the input's name in that of the bad rows' file: three bytes each in Hangul, of 255."""


@click.command("submit", short_help="Check a CSV and queue its rows for scoring.")
@click.argument("csv", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", metavar="NAME[@N]", help="Model version to score with.  [default: the current one]")
@encoding_option
@click.option("--skip-invalid", is_flag=True, help="Take the good rows of a file that has bad ones.")
@click.option("--again", is_flag=True, help="Make a new job of a file that has one; known predictions are reused.")
@click.option("--fresh", is_flag=True, help="Score every row anew, known ones too; implies --again.")
@click.option("--exact", is_flag=True, help="Score in fp32 even where fewer bits are known to be as good.")
@click.option("--priority", metavar="N", type=PRIORITY, help="Higher ones come first.  [default: 0]")
@click.option("--max-failed", metavar="N|P%", type=BUDGET, help="Fail as soon as more rows cannot be scored: 10 or 1%.")
@click.option("--wait", is_flag=True, help="Wait until every row is scored.")
@click.option(
    "--export", "out", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Wait, then export to DIR."
)
@json_option
@quiet_option
def submit_command(csv: Path, out: Path | None, *, wait: bool, as_json: bool, quiet: bool, **how: Any) -> None:
    """Check CSV, upload its rows and queue them; prints the job's id.

    Columns: id, sentence, subject_entity, object_entity; label and source may be there. An entity is
    {'word': ..., 'start_idx': ..., 'end_idx': ..., 'type': ...}, its end_idx inclusive. A file with bad rows
    is refused whole, and they are written to a new .rejected.csv in the current folder (or in
    RELEX_OUTPUT_DIR).

    Example: relex submit data/test_data.csv --wait --export outputs/
    """
    console = talk(quiet=quiet)
    options = SubmitOptions(**how)
    if out:
        require_writable(out)
    facts = _check(csv, options, console)
    with opened() as (settings, database):
        submission = submit(database, csv, facts, options, settings.shard_rows)
        _tell(submission, facts, settings, console)
        wake(settings, max(submission.shards, 1), console)  # for a known job too: its worker may have died
        click.echo(json.dumps(_data(submission, facts)) if as_json else submission.job_id)
        if wait or out:
            progress = watch_job(settings, database, submission.job_id, console)
            if out and progress.state is JobState.DONE:
                export_to(database, submission.job_id, out, console)
            end_with(progress, console)


def _check(csv: Path, options: SubmitOptions, console: Console) -> FileFacts:
    rejected = Settings.from_env().output_path(f"{csv.stem[:LONGEST_STEM]}.rejected.csv")
    with console.status(Text(f"Checking {printable(str(csv))}")):
        facts = check(csv, options.encoding, rejected)
    rows = counted(facts.rows, "row")
    console.print(f"Checking {printable(str(csv))} ... {rows}, {facts.encoding}, {decimal(facts.size)}")
    for note in facts.notes:
        console.print(f"note: {note}")
    if facts.rejected and not options.skip_invalid:
        way_out = f"      {hints.skip_invalid()}" if facts.accepted else ""
        raise InvalidCsv(
            f"{describe_problems(facts, csv.name)}\nnothing was uploaded; {_where(facts, rejected)}{way_out}"
        )
    if facts.rejected:
        left_out = "1 bad row is left out" if facts.rejected == 1 else f"{facts.rejected:,} bad rows are left out"
        console.print(f"note: {left_out}; {_where(facts, rejected)}")
    return facts


def _where(facts: FileFacts, wanted: Path) -> str:
    """Say where all bad rows are, or why they are nowhere."""
    if facts.rejected_to:
        return f"all of them: {printable(str(facts.rejected_to))}"
    return f"they are in no file: {printable(str(wanted))} cannot be written: {facts.rejected_error}"


def _tell(submission: Submission, facts: FileFacts, settings: Settings, console: Console) -> None:
    if submission.known:
        ways = [hints.resume(submission.job_id)] if submission.known is JobState.PAUSED else []
        before = f"This file was submitted before with {submission.model} ({submission.known})"
        console.print("; ".join([before, *ways, hints.submit_again()]))
        for change in submission.changes:
            console.print(f"note: {change}")
        return
    where = "" if settings.broker_url else " (scoring continues in the background on this machine)"
    console.print(
        f"Uploaded {counted(facts.accepted, 'row')}, {counted(submission.shards, 'shard')} queued for "
        f"{submission.model}{where}"
    )


def _data(submission: Submission, facts: FileFacts) -> dict[str, Any]:
    return {
        "job": submission.job_id,
        "model": submission.model,
        "known": submission.known is not None,
        "total": facts.accepted,
        "rejected": facts.rejected,
        "sha256": facts.sha256,
    }
