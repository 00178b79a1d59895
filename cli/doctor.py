"""`relex doctor`: what is used, what is broken, what mends it."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.markup import escape

from cli.context import answer, json_option
from cli.exits import Exit
from relex.flows.checks.result import CheckResult, State
from relex.flows.doctor import examine
from relex.settings import Settings

COLOURS = {State.OK: "green", State.WARNING: "yellow", State.BROKEN: "red"}


@click.command("doctor", short_help="Show what relex uses here, what is broken, and what mends it.")
@json_option
@click.pass_obj
def doctor_command(ignored: Sequence[str] | None, *, as_json: bool) -> None:
    """Look at home, disk, device, database, broker, models and waiting work; exits with 1 where something is broken.

    Changes nothing. A warning costs time or will break; below each finding stands the command that mends it.

    Example: relex doctor
    """
    findings = list(examine(Settings.from_env(), ignored=ignored or ()))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        _show(findings)
    if any(finding.state is State.BROKEN for finding in findings):
        sys.exit(Exit.FAILED)


def _show(findings: Sequence[CheckResult]) -> None:
    for finding in findings:
        mark = f"[{COLOURS[finding.state]}]{finding.state:8}[/]"
        answer().print(f"{mark} {finding.name:11} {escape(finding.text)}")
        if finding.remedy:
            answer().print(f"{'':20} -> {escape(finding.remedy)}")
