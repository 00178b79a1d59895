"""Commands for jobs and runs: `relex jobs`, `runs`, `pause`, `resume`, `priority`, `cancel`, `retry`, `purge`."""

import json
import sys
from collections.abc import Sequence
from datetime import timedelta

import click

from cli.completion import complete_job_id
from cli.context import open_app, stderr_console
from cli.exit_codes import ExitCode
from cli.folding import print_message
from cli.job_text import job_data, jobs_table
from cli.notify import notify_scorers
from cli.params import AGE, PRIORITY, budget_option, id_argument, job_argument, json_option, limit_option
from cli.run_text import run_data, runs_parts
from cli.tables import print_parts
from relex.db.ids import LAST
from relex.domain.jobs import Job, MaxFailed, Progress
from relex.errors import counted, printable
from relex.flows.control import cancel, pause, prioritize, resume, retry
from relex.flows.purge import purge, to_purge
from relex.flows.status import newest_jobs, newest_runs
from relex.hints import jobs as hints
from relex.times import format_local


@click.command("jobs")
@limit_option
@json_option
def jobs_command(limit: int, *, as_json: bool) -> None:
    """List recent jobs, newest first.

    Example: relex jobs -n 5
    """
    with open_app() as (settings, database):
        jobs = newest_jobs(database, limit, settings.lease_seconds)
    if as_json:
        click.echo(json.dumps([job_data(progress) for progress in jobs]))
    elif jobs:
        print_parts([jobs_table(jobs)])
    else:
        print_message(f"there are no jobs yet; {hints.first_job()}")


@click.command("runs")
@limit_option
@json_option
def runs_command(limit: int, *, as_json: bool) -> None:
    """List recent training runs, newest first: progress, best score so far, and the model version.

    Example: relex runs -n 5
    """
    with open_app() as (_, database):
        runs = newest_runs(database, limit)
    if as_json:
        click.echo(json.dumps([run_data(run) for run in runs]))
    elif runs:
        print_parts(runs_parts(runs))
    else:
        print_message(f"there are no training runs yet; {hints.first_run()}")


@click.command("pause")
@job_argument
def pause_command(job_ref: str) -> None:
    """Pause the job JOB_ID (an id, a unique prefix, or @last).

    JOB_ID defaults to the newest job. Running shards finish, no new ones start. If none remain, the job finishes.
    A job that has ended cannot be paused.

    Example: relex pause @last
    """
    with open_app() as (_, database):
        progress = pause(database, job_ref)
    running = f", still running: {progress.running_shards}" if progress.running_shards else ""
    print_message(f"{progress.job.id} is paused; shards waiting: {progress.pending_shards}{running}")


@click.command("resume")
@job_argument
def resume_command(job_ref: str) -> None:
    """Resume the paused job JOB_ID (an id, a unique prefix, or @last).

    JOB_ID defaults to the newest job.

    Example: relex resume @last
    """
    with open_app() as (settings, database):
        progress = resume(database, job_ref)
        print_message(f"{progress.job.id} is resumed; shards waiting: {progress.pending_shards}")
        notify_scorers(settings, progress.pending_shards, stderr_console())


def _one_or_last(_: click.Context, __: click.Parameter, refs: tuple[str, ...]) -> str:
    """Return the only id, or @last where none is given; a second one is a usage error."""
    if len(refs) > 1:
        raise click.UsageError(f"got unexpected extra argument {printable(refs[1])}")
    return refs[0] if refs else LAST


@click.command("priority", context_settings={"ignore_unknown_options": True})
@click.argument("job_ref", metavar="[JOB_ID]", nargs=-1, callback=_one_or_last, shell_complete=complete_job_id)
@click.argument("priority", metavar="N", type=PRIORITY)
def priority_command(job_ref: str, priority: int) -> None:
    """Give the job JOB_ID (an id, a unique prefix, or @last) the priority N, from -100 to 100.

    JOB_ID defaults to the newest job. Jobs of a higher priority are scored first; the default is 0. The change takes
    effect with the next shard. Jobs of equal priority take turns (round robin). The priority of a job that has ended
    cannot be changed.

    Example: relex priority @last 10
    """
    with open_app() as (_, database):
        progress = prioritize(database, job_ref, priority)
    print_message(f"{progress.job.id} has priority {progress.job.priority}")


@click.command("cancel")
@id_argument
def cancel_command(job_ref: str) -> None:
    """Cancel the job or training run ID: an id, a unique prefix, or @last (the newest job or run).

    ID defaults to @last. Shards that workers are scoring are discarded when they next renew their lease.
    Rows of finished shards are kept: `relex export ID --partial` writes them, `relex retry ID` scores the others. A
    cancelled run registers nothing. A job or run that has ended cannot be cancelled.

    Example: relex cancel @last
    """
    with open_app() as (_, database):
        ended = cancel(database, job_ref)
    if isinstance(ended, Progress):
        rows = counted(ended.job.total, "row")
        print_message(f"{ended.job.id} is cancelled: {ended.done:,} of {rows} done and kept")
    else:
        print_message(f"{ended.id} is cancelled")


@click.command("retry")
@job_argument
@click.option("--rows", is_flag=True, help="Retry the rows that ended as errors, too.")
@budget_option
def retry_command(job_ref: str, *, rows: bool, max_failed: MaxFailed | None) -> None:
    """Retry the unscored rows of the job JOB_ID (an id, a unique prefix, or @last), which failed or was cancelled.

    JOB_ID defaults to the newest job. Shards that are done are kept. With --rows, rows that could not be scored
    are scored again, also in a job that is done, and each error is replaced by the new result. A job that has not
    ended cannot be retried.

    Example: relex retry @last --rows
    """
    with open_app() as (settings, database):
        progress = retry(database, job_ref, rows=rows, budget=max_failed)
        total = counted(progress.job.total, "row")
        print_message(f"{progress.job.id} is {progress.state}: {progress.open:,} of {total} queued")
        if progress.pending_shards:
            notify_scorers(settings, progress.pending_shards, stderr_console())


@click.command("purge")
@click.option("--older-than", "age", required=True, metavar="AGE", type=AGE, help="Minimum age, such as 30d or 12h.")
@click.option("--dry-run", is_flag=True, help="List the jobs, delete nothing.")
@click.option("-y", "--yes", is_flag=True, help="Delete without asking.")
def purge_command(age: timedelta, *, dry_run: bool, yes: bool) -> None:
    """Delete jobs that ended more than AGE ago, with rows, predictions and errors, and print their ids.

    In a terminal it lists them and asks first; elsewhere it needs --yes. Jobs that have not ended are kept, however old
    they are. Predictions of a deleted job are not reused any more: if such rows are submitted again, they are scored
    again. If a purge is interrupted, the next one finishes it.

    Example: relex purge --older-than 30d --dry-run
    """
    if not (dry_run or yes or sys.stdin.isatty()):
        raise click.UsageError(f"there is no terminal to ask on; {hints.purge_without_asking()}")
    with open_app() as (_, database):
        if dry_run:
            jobs = to_purge(database, age)
            for job in jobs:
                click.echo(_purge_line(job))
            print_message(f"jobs that would be deleted: {len(jobs)}")
        else:
            deleted = purge(database, age, lambda job: click.echo(_purge_line(job)), approve=_approve if yes else _ask)
            print_message(f"jobs deleted: {deleted}")


def _approve(_: Sequence[Job]) -> None:
    """Accept the deletion without a question."""


def _ask(jobs: Sequence[Job]) -> None:
    """List the jobs and ask the person at the terminal.

    Raises:
        SystemExit: the answer is no.
    """
    for job in jobs:
        print_message(_purge_line(job))
    what = "this job and its" if len(jobs) == 1 else f"these {len(jobs):,} jobs and their"
    if not click.confirm(f"Delete {what} results?", err=True):
        print_message("nothing was deleted")
        sys.exit(ExitCode.FAILED)


def _purge_line(job: Job) -> str:
    ended = "" if job.finished_at is None else f"\tended {format_local(job.finished_at)}"
    return f"{job.id}\t{printable(job.file_name)}\t{counted(job.total, 'row')}{ended}"
