"""`relex cancel`: end a training run before its time."""

import click

from cli.context import opened
from relex.flows.cancel import cancel


@click.command("cancel", short_help="End a training run before its time.")
@click.argument("given", metavar="RUN_ID")
def cancel_command(given: str) -> None:
    """Cancel the training run RUN_ID: a whole id, a prefix that fits one, or @last (the newest job or run).

    Its worker stops within about a second of training and goes on with the next run; nothing is registered. A run
    that has ended cannot be cancelled.

    Example: relex cancel @last
    """
    with opened() as (_, database):
        run_id = cancel(database, given)
    click.echo(f"{run_id} is cancelled", err=True)
