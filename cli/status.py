"""`relex status`: the progress of a job or a training run."""

import json
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

from cli.context import open_app, stderr_console
from cli.job_text import job_data, job_next_step, job_note, job_parts, labeled_data, labeled_line
from cli.params import follow_option, id_argument, json_option, quiet_option
from cli.progress import exit_with, follow_job, follow_run, recover_and_revive
from cli.run_text import run_data, run_head, run_lines, run_next_step
from cli.tables import Part, print_parts
from relex.db.connection import Database
from relex.domain.jobs import Progress
from relex.domain.runs import TrainingRun
from relex.domain.sample_scores import SampleScores
from relex.flows.status import labeled_scores, status
from relex.settings import Settings


@click.command("status")
@id_argument
@follow_option
@json_option
@quiet_option
def status_command(job_ref: str, *, follow: bool, as_json: bool, quiet: bool) -> None:
    """Show the state of the job or training run ID: an id, a unique prefix, or @last (the newest job or run).

    Without ID it shows @last.

    Example: relex status --follow
    """
    console = stderr_console(quiet=quiet)
    with open_app() as (settings, database):
        recover_and_revive(settings, database)
        current = status(database, job_ref, settings.lease_seconds)
        if follow:
            current = _follow(settings, database, current, console)
        scores = labeled_scores(database, current) if isinstance(current, Progress) else None
    if as_json:
        click.echo(json.dumps(_data(current, scores)))
    else:
        print_parts(_parts(current, settings, scores, followed=follow and not quiet))
        if hint := job_next_step(current) if isinstance(current, Progress) else run_next_step(current):
            console.print(hint)
    if follow:
        exit_with(current, stderr_console(quiet=True), shown=True)


def _follow(
    settings: Settings, database: Database, current: Progress | TrainingRun, console: Console
) -> Progress | TrainingRun:
    if isinstance(current, Progress):
        return follow_job(settings, database, current.job.id, console)
    return follow_run(settings, database, current.id, console)


def _data(current: Progress | TrainingRun, scores: SampleScores | None) -> dict[str, Any]:
    if isinstance(current, TrainingRun):
        return run_data(current)
    return job_data(current) | {"labeled": labeled_data(scores)}


def _parts(
    current: Progress | TrainingRun, settings: Settings, scores: SampleScores | None, *, followed: bool
) -> Sequence[Part]:
    """Describe a job or a run; the epochs of a run that was followed were printed before."""
    if isinstance(current, TrainingRun):
        return [run_head(current)] if followed else run_lines(current)
    note = job_note(current, settings)
    lines = [labeled_line(scores) if scores else None, note]
    return [*job_parts(current), *(f"  {line}" for line in lines if line)]
