"""`relex runs`: the newest training runs."""

import json

import click

from cli.context import answer, json_option, opened
from cli.render import run_data, run_line
from relex.flows.status import newest_runs
from relex.hints import jobs as hints


@click.command("runs", short_help="List the newest training runs.")
@click.option("-n", "limit", default=20, show_default=True, type=click.IntRange(1), help="How many.")
@json_option
def runs_command(limit: int, *, as_json: bool) -> None:
    """List the newest training runs, newest first: how far each is, its best score, what came out of it.

    Example: relex runs -n 5
    """
    with opened() as (_, database):
        found = newest_runs(database, limit)
    if as_json:
        click.echo(json.dumps([run_data(run) for run in found]))
        return
    for run in found:
        answer().print(run_line(run))
    if not found:
        click.echo(f"there are no training runs yet; {hints.first_run()}", err=True)
