"""`relex status`: how far a job or a training run is."""

import json

import click

from cli.context import answer, json_option, opened, quiet_option, talk
from cli.ending import end_with
from cli.render import job_counts, job_data, job_details, job_head, job_hint, job_since, run_data, run_head, run_lines
from cli.watching import look_after, watch_job, watch_run
from relex.flows.status import status
from relex.jobs import Progress
from relex.runs import TrainingRun


@click.command("status", short_help="Show how far a job or a training run is.")
@click.argument("given", metavar="ID")
@click.option("--watch", is_flag=True, help="Look on until it has ended.")
@json_option
@quiet_option
def status_command(given: str, *, watch: bool, as_json: bool, quiet: bool) -> None:
    """Show the state of the job or training run ID: a whole id, a prefix that fits one, or @last (the newest of both).

    Example: relex status @last --watch
    """
    with opened() as (settings, database):
        look_after(settings, database)
        found = status(database, given)
        if watch and isinstance(found, Progress):
            found = watch_job(settings, database, found.job.id, talk(quiet=quiet))
        elif watch and isinstance(found, TrainingRun):
            found = watch_run(settings, database, found.id, talk(quiet=quiet))
    _show(found, as_json=as_json, told_before=watch and not quiet)
    if watch:
        end_with(found, talk(quiet=True))


def _show(found: Progress | TrainingRun, *, as_json: bool, told_before: bool) -> None:
    """Print what was found; of a run that was watched, not the epochs once more."""
    if as_json:
        click.echo(json.dumps(job_data(found) if isinstance(found, Progress) else run_data(found)))
    elif isinstance(found, Progress):
        lines = [job_head(found), f"  {job_since(found)}", f"  {job_counts(found)}", f"  {job_details(found)}"]
        hint = job_hint(found)
        answer().print("\n".join([*lines, f"  {hint}"] if hint else lines))
    else:
        answer().print("\n".join([run_head(found)] if told_before else run_lines(found)))
