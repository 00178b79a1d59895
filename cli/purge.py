"""`relex purge`: delete jobs that ended long ago."""

from datetime import timedelta

import click

from cli.context import opened
from cli.values import AGE
from relex.errors import counted, printable
from relex.flows.purge import purge, to_purge
from relex.jobs import Job


@click.command("purge", short_help="Delete jobs that ended long ago.")
@click.option(
    "--older-than", "age", required=True, metavar="AGE", type=AGE, help="Ended before that, such as 30d or 12h."
)
@click.option("--dry-run", is_flag=True, help="Only say which.")
def purge_command(age: timedelta, *, dry_run: bool) -> None:
    """Delete the jobs that ended longer ago than AGE with their rows, predictions and errors; prints their ids.

    Jobs that have not ended stay, however old they are. Rows of a deleted job answer for no other job any more:
    where such content comes again, it is scored anew. A purge that is interrupted is finished by the next one.

    Example: relex purge --older-than 30d --dry-run
    """
    with opened() as (_, database):
        if dry_run:
            jobs = to_purge(database, age)
            for job in jobs:
                _tell(job)
            click.echo(f"jobs that would be deleted: {len(jobs)}", err=True)
        else:
            click.echo(f"jobs deleted: {purge(database, age, _tell)}", err=True)


def _tell(job: Job) -> None:
    ended = f"{job.finished_at:%Y-%m-%d %H:%M}"
    click.echo(f"{job.id}\t{printable(job.file_name)}\t{counted(job.total, 'row')}\tended {ended}")
