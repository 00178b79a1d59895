"""`relex runs`: the newest training runs."""

import json

import click

from cli.context import open_app
from cli.params import json_option, limit_option
from cli.run_text import run_data, runs_parts
from cli.tables import print_parts
from relex.flows.status import newest_runs
from relex.hints import jobs as hints


@click.command("runs")
@limit_option
@json_option
def runs_command(limit: int, *, as_json: bool) -> None:
    """List the newest training runs, the newest first: progress, best score so far, and the model version.

    Example: relex runs -n 5
    """
    with open_app() as (_, database):
        runs = newest_runs(database, limit)
    if as_json:
        click.echo(json.dumps([run_data(run) for run in runs]))
    elif runs:
        print_parts(runs_parts(runs))
    else:
        click.echo(f"there are no training runs yet; {hints.first_run()}", err=True)
