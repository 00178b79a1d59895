"""`relex db`: the database's tables."""

import click

from relex.db.grants import Part
from relex.flows.database import upgrade
from relex.settings import Settings


@click.group("db", short_help="Bring the database's tables up to date.")
def db_command() -> None:
    """Look after the database's tables."""


@db_command.command("upgrade", short_help="Run the missing migrations.")
@click.option("--worker", metavar="ROLE", help="Grant this role what workers need, and no more.")
@click.option("--client", metavar="ROLE", help="The same for those who submit and export.")
def upgrade_command(worker: str | None, client: str | None) -> None:
    """Create or change the tables as this relex needs them, and register the models that came with it.

    Safe to run again and from several machines at once. The embedded Postgres does it by itself. Whoever runs it owns
    the tables; the roles of workers and clients cannot alter them.

    Example: RELEX_DATABASE_URL=postgresql://relex@db/relex relex db upgrade
    """
    given = {Part.WORKER: worker, Part.CLIENT: client}
    name, revision = upgrade(Settings.from_env(), {part: role for part, role in given.items() if role})
    click.echo(f"{name} is at revision {revision}", err=True)
