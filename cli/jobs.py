"""`relex jobs`: the newest jobs."""

import json

import click

from cli.context import answer, json_option, opened
from cli.render import job_counts, job_data, job_head
from relex.flows.status import newest_jobs
from relex.hints import jobs as hints


@click.command("jobs", short_help="List the newest jobs.")
@click.option("-n", "limit", default=20, show_default=True, type=click.IntRange(1), help="How many.")
@json_option
def jobs_command(limit: int, *, as_json: bool) -> None:
    """List the newest jobs, newest first.

    Example: relex jobs -n 5
    """
    with opened() as (settings, database):
        found = newest_jobs(database, limit, settings.lease_seconds)
    if as_json:
        click.echo(json.dumps([job_data(progress) for progress in found]))
        return
    for progress in found:
        answer().print(f"{job_head(progress)}  {job_counts(progress)}")
    if not found:
        click.echo(f"there are no jobs yet; {hints.first_job()}", err=True)
