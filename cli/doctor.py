"""`relex doctor` and `relex db`: what is wrong with an installation, and the tables of its database."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.text import Text

from cli.context import stdout_console
from cli.exit_codes import ExitCode
from cli.folding import print_message
from cli.params import json_option
from relex.db.grants import Part
from relex.flows.checks.result import CheckResult, State
from relex.flows.database import upgrade
from relex.flows.doctor import examine
from relex.settings import Settings

STYLES = {State.OK: "green", State.WARNING: "yellow", State.ERROR: "red"}


@click.command("doctor")
@json_option
@click.pass_obj
def doctor_command(ignored: Sequence[str] | None, *, as_json: bool) -> None:
    """Check home, disk, device, database, broker, models and queued work; exit with 1 if something is broken.

    It changes nothing. A warning marks something slow or likely to fail later. Each problem is followed by the command
    that fixes it.

    Example: relex doctor
    """
    results = list(examine(Settings.from_env(), ignored=ignored or ()))
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], ensure_ascii=False))
    else:
        _print_results(results)
    if any(result.state is State.ERROR for result in results):
        sys.exit(ExitCode.FAILED)


def _print_results(results: Sequence[CheckResult]) -> None:
    console = stdout_console()
    for result in results:
        console.print(Text.assemble((f"{result.state:8}", STYLES[result.state]), f" {result.name:11} {result.text}"))
        if result.suggestion:
            console.print(f"{'':20} -> {result.suggestion}")


@click.group("db")
def db_command() -> None:
    """Manage the database's tables."""


@db_command.command("upgrade", short_help="Run the missing migrations.")
@click.option("--worker", metavar="ROLE", help="Grant ROLE only the privileges a worker needs.")
@click.option("--client", metavar="ROLE", help="Grant ROLE only the privileges to submit and export.")
def upgrade_command(worker: str | None, client: str | None) -> None:
    """Migrate the tables to this version's schema, and register the models that came with it.

    It is safe to repeat, also from several machines at once. The embedded Postgres does it by itself. The role that
    runs it owns the tables; the roles of workers and clients cannot alter them.

    Example: RELEX_DATABASE_URL=postgresql://relex@db/relex relex db upgrade
    """
    roles = {Part.WORKER: worker, Part.CLIENT: client}
    name, revision = upgrade(Settings.from_env(), {part: role for part, role in roles.items() if role})
    print_message(f"{name} is at revision {revision}")
