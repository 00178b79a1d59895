"""The `relex` command: the table of commands, and the one place that turns errors into words.

A command's module is imported when the command is called, so `relex status` does not wait for Celery.
"""

import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from pkgutil import resolve_name

import click

from cli.exits import Exit
from relex.environment import isolate
from relex.errors import RelexError, UnexpectedError, did_you_mean, printable

SETTINGS = "relex.settings:Settings"
"""By name: the libraries that it imports are looked for when `isolate` has taken the current folder from the path."""

COMMANDS = {
    "submit": "cli.submit",
    "status": "cli.status",
    "jobs": "cli.jobs",
    "export": "cli.export",
    "train": "cli.train",
    "search": "cli.search",
    "runs": "cli.runs",
    "cancel": "cli.cancel",
    "retry": "cli.retry",
    "pause": "cli.pause",
    "resume": "cli.pause",
    "priority": "cli.priority",
    "purge": "cli.purge",
    "models": "cli.models",
    "evaluate": "cli.evaluate",
    "compare": "cli.compare",
    "ensemble": "cli.ensemble",
    "data": "cli.data",
    "labels": "cli.labels",
    "bench": "cli.bench",
    "worker": "cli.worker",
    "health": "cli.health",
    "db": "cli.db",
    "doctor": "cli.doctor",
}
"""Command to module; the function in it goes by the command's name and `_command`."""


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order a new user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name]), f"{cmd_name}_command")
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command meant; a typo gets a suggestion."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as fault:
            raise click.UsageError(f"{fault.message}{did_you_mean(args[0], COMMANDS)}", ctx) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="relex")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def relex() -> None:
    """Score CSVs of Korean sentences: one of 30 relations and its probabilities for every row.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 invalid input, 4 service unreachable, 5 not found,
    6 done with failed rows, 130 interrupted.
    """
    resolve_name(SETTINGS).from_env()  # each command reports a mistake in the settings before it does anything


def main() -> None:
    """Run the command line and exit with its code."""
    # As an exception SIGTERM leaves by the same doors as an error, so nothing (an embedded Postgres) stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.TERMINATED))
    ignored = isolate()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a test may put something else in its place
            # A terminal of another encoding shows what it lacks as an escape.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = relex.main(standalone_mode=False, obj=ignored)
    except click.ClickException as fault:
        fault.show()
        code = fault.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = Exit.INTERRUPTED
    except (RelexError, UnexpectedError, OSError) as fault:
        if "--debug" in sys.argv:
            raise
        click.echo(f"error: {_words(fault)}", err=True)
        code = Exit.of(fault)
    sys.exit(code)


def _words(fault: RelexError | UnexpectedError | OSError) -> str:
    """What an error says; what it quotes from files and arguments cannot steer the terminal."""
    text = str(fault)
    if isinstance(fault, OSError) and fault.filename is not None:
        text = f"{fault.filename}: {fault.strerror}"
    return "\n".join(map(printable, text.split("\n")))


if __name__ == "__main__":
    main()
