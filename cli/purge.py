"""`relex purge`: delete jobs that ended long ago."""

import sys
from collections.abc import Sequence
from datetime import timedelta

import click

from cli.context import opened
from cli.values import AGE
from relex.domain.jobs import Job
from relex.errors import RelexError, counted, printable
from relex.flows.purge import purge, to_purge
from relex.hints import jobs as hints
from relex.times import local


@click.command("purge", short_help="Delete jobs that ended long ago.")
@click.option(
    "--older-than", "age", required=True, metavar="AGE", type=AGE, help="Ended before that, such as 30d or 12h."
)
@click.option("--dry-run", is_flag=True, help="Only list them.")
@click.option("-y", "--yes", is_flag=True, help="Delete without asking.")
def purge_command(age: timedelta, *, dry_run: bool, yes: bool) -> None:
    """Delete the jobs that ended longer ago than AGE with their rows, predictions and errors; prints their ids.

    On a terminal it lists them and asks first; elsewhere it needs --yes. Jobs that have not ended stay, however old
    they are. Predictions of a deleted job are not reused any more: if such rows are submitted again, they are scored
    again. A purge that is interrupted is finished by the next one.

    Example: relex purge --older-than 30d --dry-run
    """
    if not (dry_run or yes or sys.stdin.isatty()):
        raise click.UsageError(f"there is no terminal to ask on; {hints.purge_without_asking()}")
    with opened() as (_, database):
        if dry_run:
            jobs = to_purge(database, age)
            for job in jobs:
                click.echo(_line(job))
            click.echo(f"jobs that would be deleted: {len(jobs)}", err=True)
        else:
            deleted = purge(database, age, lambda job: click.echo(_line(job)), approve=_approved if yes else _ask)
            click.echo(f"jobs deleted: {deleted}", err=True)


def _approved(_: Sequence[Job]) -> None:
    """Let --yes speak for all of them."""


def _ask(jobs: Sequence[Job]) -> None:
    """List the jobs and ask the person at the terminal.

    Raises:
        RelexError: the answer is no.
    """
    for job in jobs:
        click.echo(_line(job), err=True)
    what = "this job and its" if len(jobs) == 1 else f"these {len(jobs):,} jobs and their"
    if not click.confirm(f"Delete {what} results?", err=True):
        raise RelexError("nothing was deleted")


def _line(job: Job) -> str:
    ended = "" if job.finished_at is None else f"\tended {local(job.finished_at)}"
    return f"{job.id}\t{printable(job.file_name)}\t{counted(job.total, 'row')}{ended}"
