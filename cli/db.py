"""`relex db`: the database's tables."""

import click

from relex.flows.database import upgrade
from relex.settings import Settings


@click.group("db", short_help="Bring the database's tables up to date.")
def db_command() -> None:
    """Look after the database's tables."""


@db_command.command("upgrade", short_help="Run the missing migrations.")
def upgrade_command() -> None:
    """Create or change the tables as this relex needs them, and register the models that came with it.

    Safe to run again and from several machines at once. The embedded Postgres does it by itself.

    Example: RELEX_DATABASE_URL=postgresql://relex@db/relex relex db upgrade
    """
    name, revision = upgrade(Settings.from_env())
    click.echo(f"{name} is at revision {revision}", err=True)
