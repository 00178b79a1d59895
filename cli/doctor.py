"""`relex doctor`: what is used, what is missing, what mends it."""

import sys

import click
from rich.markup import escape

from cli.context import answer
from cli.exits import Exit
from relex.flows.doctor import examine
from relex.settings import Settings


@click.command("doctor", short_help="Show what relex uses here and what is missing.")
def doctor_command() -> None:
    """Look at settings, database, models and broker; exits with 1 where something is missing. Changes nothing.

    Example: relex doctor
    """
    findings = list(examine(Settings.from_env()))
    for finding in findings:
        mark = "[green]ok[/]     " if finding.ok else "[red]missing[/]"
        answer().print(f"{mark}  {finding.name:9} {escape(finding.text)}")
        if not finding.ok:
            answer().print(f"                   -> {escape(finding.remedy)}")
    if not all(finding.ok for finding in findings):
        sys.exit(Exit.FAILED)
