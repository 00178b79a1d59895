"""`relex cancel`: end a job or a training run early."""

import click

from cli.context import opened
from relex.domain.jobs import Progress
from relex.errors import counted
from relex.flows.control import cancel


@click.command("cancel", short_help="Cancel a job or a training run.")
@click.argument("given", metavar="ID")
def cancel_command(given: str) -> None:
    """Cancel the job or training run ID: a whole id, a prefix that fits one, or @last (the newest of both).

    What a job's workers hold at this moment is thrown away, within a batch after they next renew their lease. Rows
    of finished shards are kept: `relex export ID --partial` writes them, `relex retry ID` scores the others. Of a run
    nothing is registered. What has ended cannot be cancelled.

    Example: relex cancel @last
    """
    with opened() as (_, database):
        ended = cancel(database, given)
    if isinstance(ended, Progress):
        words = f"{ended.job.id} is cancelled: {ended.done:,} of {counted(ended.job.total, 'row')} done and kept"
    else:
        words = f"{ended.id} is cancelled"
    click.echo(words, err=True)
