"""`relex priority`: change a job's place in the queue."""

import click

from cli.context import opened
from cli.values import PRIORITY
from relex.flows.control import prioritize


@click.command(
    "priority", short_help="Change a job's place in the queue.", context_settings={"ignore_unknown_options": True}
)
@click.argument("given", metavar="JOB_ID")
@click.argument("priority", metavar="N", type=PRIORITY)
def priority_command(given: str, priority: int) -> None:
    """Give the job JOB_ID (or a prefix, or @last) the priority N, -100 to 100: higher ones come first, 0 is usual.

    It holds from the next shard on; of equal ones the job that was served longest ago is next. A job that has ended
    keeps what it had.

    Example: relex priority @last 10
    """
    with opened() as (_, database):
        progress = prioritize(database, given, priority)
    click.echo(f"{progress.job.id} has priority {progress.job.priority}", err=True)
