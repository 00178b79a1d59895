"""`relex status`: how far a job or a training run is."""

import json

import click
from rich.markup import escape

from cli.context import answer, json_option, opened, quiet_option, talk
from cli.ending import end_with
from cli.render import job_counts, job_data, job_details, job_head, job_hint, job_since, run_data, run_head, run_lines
from cli.watching import look_after, watch_job, watch_run
from relex.db.ids import LAST
from relex.domain.jobs import Progress
from relex.domain.runs import TrainingRun
from relex.flows.status import status
from relex.settings import Settings


@click.command("status", short_help="Show how far a job or a training run is.")
@click.argument("given", metavar="[ID]", default=LAST)
@click.option("--watch", is_flag=True, help="Follow it until it finishes.")
@json_option
@quiet_option
def status_command(given: str, *, watch: bool, as_json: bool, quiet: bool) -> None:
    """Show the state of the job or training run ID: a whole id, a prefix that fits one, or @last (the newest of both),
    which is also what no ID means.

    Example: relex status --watch
    """
    with opened() as (settings, database):
        look_after(settings, database)
        found = status(database, given, settings.lease_seconds)
        if watch and isinstance(found, Progress):
            found = watch_job(settings, database, found.job.id, talk(quiet=quiet))
        elif watch and isinstance(found, TrainingRun):
            found = watch_run(settings, database, found.id, talk(quiet=quiet))
    if as_json:
        click.echo(json.dumps(job_data(found) if isinstance(found, Progress) else run_data(found)))
    else:
        answer().print("\n".join(_lines(found, settings, followed=watch and not quiet)))
    if watch:
        end_with(found, talk(quiet=True), shown=True)


def _lines(found: Progress | TrainingRun, settings: Settings, *, followed: bool) -> list[str]:
    """Describe what was found, with rich's markup; of a run that was followed, not the epochs once more."""
    if isinstance(found, TrainingRun):
        return [run_head(found)] if followed else run_lines(found)
    lines = [job_head(found), f"  {job_since(found)}", f"  {job_counts(found)}", f"  {job_details(found)}"]
    hint = job_hint(found, settings)
    return [*lines, f"  {escape(hint)}"] if hint else lines
