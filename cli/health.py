"""`relex health`: what a container's probe asks."""

from dataclasses import replace
from pathlib import Path

import click

from relex.flows.health import health
from relex.settings import Settings


@click.command("health", short_help="Tell whether a worker of this machine is well.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="Its health file.  [default: RELEX_HEALTH_FILE]")
def health_command(file: Path | None) -> None:
    """Exit with 0 while the health file of a worker is fresh, else with 1. Asks no service.

    A worker writes it (`relex worker --health-file PATH`) while it reaches Postgres and what it holds moves.

    Example: relex health --file /tmp/relex-health
    """
    settings = Settings.from_env()
    click.echo(health(replace(settings, health_file=file) if file else settings))
