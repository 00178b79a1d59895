"""`relex pause` and `relex resume`: no further shard begins, until it may again."""

import click

from cli.context import opened, talk
from cli.waking import wake
from relex.flows.control import pause, resume


@click.command("pause", short_help="Pause a job: running shards finish, no new ones start.")
@click.argument("given", metavar="JOB_ID")
def pause_command(given: str) -> None:
    """Let no further shard of the job JOB_ID (or a prefix, or @last) begin.

    Shards that workers hold at this moment are finished; if none is left then, the job ends. A job that has ended
    cannot be paused.

    Example: relex pause @last
    """
    with opened() as (_, database):
        progress = pause(database, given)
    held = f", in workers' hands and finished: {progress.running_shards}" if progress.running_shards else ""
    click.echo(f"{progress.job.id} is paused; shards waiting: {progress.pending_shards}{held}", err=True)


@click.command("resume", short_help="Resume a paused job.")
@click.argument("given", metavar="JOB_ID")
def resume_command(given: str) -> None:
    """Let shards of the paused job JOB_ID (or a prefix, or @last) begin again.

    Example: relex resume @last
    """
    with opened() as (settings, database):
        progress = resume(database, given)
        click.echo(f"{progress.job.id} is resumed; shards waiting: {progress.pending_shards}", err=True)
        wake(settings, progress.pending_shards, talk())
