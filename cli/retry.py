"""`relex retry`: score what an ended job left."""

import click

from cli.context import opened, talk
from cli.values import BUDGET
from cli.waking import wake
from relex.domain.jobs import MaxFailed
from relex.errors import counted
from relex.flows.control import retry


@click.command("retry", short_help="Score what an ended job left unscored.")
@click.argument("given", metavar="JOB_ID")
@click.option("--rows", is_flag=True, help="Score the rows anew that ended as errors, too.")
@click.option("--max-failed", "budget", metavar="N|P%", type=BUDGET, help="The job's error budget from now on.")
def retry_command(given: str, *, rows: bool, budget: MaxFailed | None) -> None:
    """Queue again what is unscored of the job JOB_ID (or a prefix, or @last), which failed or was cancelled.

    Shards that are done are kept as they are. With --rows, rows that could not be scored are tried again, also in a
    job that is done, and each error makes place for what becomes of the row now. A job that has not ended cannot be
    tried again.

    Example: relex retry @last --rows
    """
    with opened() as (settings, database):
        progress = retry(database, given, rows=rows, budget=budget)
        words = (
            f"{progress.job.id} is {progress.state}: {progress.open:,} of {counted(progress.job.total, 'row')} queued"
        )
        click.echo(words, err=True)
        if progress.pending_shards:
            wake(settings, progress.pending_shards, talk())
