"""The `relex` command: the table of commands, and the one place that turns errors into messages.

A command's module is imported when the command is called, so `relex status` does not wait for Celery, and neither
`relex --help` nor the completion of a command's name imports any.
"""

import inspect
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from pkgutil import resolve_name

import click
from click.shell_completion import CompletionItem

from cli.exit_codes import ExitCode
from relex.environment import isolate
from relex.errors import RelexError, UnexpectedError, did_you_mean, printable
from relex.hints import jobs as hints
from relex.hints import next_steps

SETTINGS = "relex.settings:Settings"
"""By name: its libraries are searched for after `isolate` has removed the current folder from the path."""
COMPLETE_VARIABLE = "_RELEX_COMPLETE"
"""Set by the completion scripts of the shells (`relex completion`)."""
DEBUG = "--debug"

SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Score": {
        "predict": ("cli.predict", "Show the likeliest relations of one sentence."),
        "submit": ("cli.submit", "Check a table and queue its rows for scoring."),
        "status": ("cli.status", "Show the progress of a job or a training run."),
        "show": ("cli.show", "Show the first or the most doubtful predictions of a job."),
        "export": ("cli.export", "Write a job's results as CSV, JSON Lines, Parquet or a workbook."),
        "review": ("cli.review", "Write the rows of a job that are most worth labeling by hand."),
        "reproduce": ("cli.reproduce", "Score rows of a job again and compare the bits."),
        "jobs": ("cli.jobs", "List recent jobs."),
        "pause": ("cli.jobs", "Pause a job: running shards finish, no new ones start."),
        "resume": ("cli.jobs", "Resume a paused job."),
        "priority": ("cli.jobs", "Change the priority of a job."),
        "cancel": ("cli.jobs", "Cancel a job or a training run."),
        "retry": ("cli.jobs", "Retry the unscored rows of an ended job."),
        "purge": ("cli.jobs", "Delete jobs that ended long ago."),
    },
    "Models": {
        "train": ("cli.train", "Train a model from a recipe and register it."),
        "tune": ("cli.tune", "Tune the settings of a recipe and write the best recipe."),
        "runs": ("cli.jobs", "List the newest training runs."),
        "models": ("cli.models", "List, promote, import and calibrate model versions."),
        "evaluate": ("cli.evaluate", "Evaluate a model version on a labeled file."),
        "compare": ("cli.evaluate", "Compare two model versions on a labeled file."),
        "diff": ("cli.diff", "Compare two jobs of the same rows, without labels."),
        "ensemble": ("cli.evaluate", "Combine model versions by voting."),
    },
    "Data": {
        "data": ("cli.data", "Split and describe labeled files, and read labels back."),
        "labels": ("cli.labels", "List the relations and entity types with examples."),
    },
    "Operate": {
        "worker": ("cli.worker", "Run a worker that scores and trains."),
        "health": ("cli.worker", "Check that this machine's worker is alive (for probes)."),
        "db": ("cli.doctor", "Upgrade the database's tables."),
        "doctor": ("cli.doctor", "Diagnose the installation and suggest fixes."),
        "bench": ("cli.bench", "Measure the speed of scoring engines on this machine."),
        "help": ("cli.main", "Show the help of a command."),
        "completion": ("cli.completion", "Print the completion script of a shell."),
    },
}
"""Module and summary of each command; the function in the module is named after the command, with `_command`."""

COMMANDS = {name: module for section in SECTIONS.values() for name, (module, _) in section.items()}
SUMMARIES = {name: summary for section in SECTIONS.values() for name, (_, summary) in section.items()}


class Commands(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which a new user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name]), f"{cmd_name}_command")
        if not isinstance(command, click.Command):
            return None
        command.short_help = SUMMARIES[cmd_name]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, or suggest one for a typo."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message.rstrip('.')}{did_you_mean(args[0], COMMANDS)}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in their sections, which share the width of the first column."""
        width = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, (_, summary) in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, without importing any, or an option."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        items = [CompletionItem(name, help=SUMMARIES[name]) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(None, "-V", "--version", package_name="relex", prog_name="relex")
@click.option(
    DEBUG, is_flag=True, expose_value=False, help="Show full tracebacks. Accepted before or after the command."
)
def relex() -> None:
    """Predict the relation between two entities in each Korean sentence of a table.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 invalid input, 4 service unreachable, 5 not found,
    6 needs attention, 130 interrupted, 143 terminated.
    """
    resolve_name(SETTINGS).from_env()  # each command reports a mistake in the settings before it does anything


@click.command("help")
@click.argument("words", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def help_command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of relex, or of one of its commands.

    Example: relex help models import
    """
    ctx = ctx.find_root()
    for word in words:
        if not isinstance(ctx.command, click.Group):
            raise click.UsageError(f"`{ctx.command_path}` has no command {word!r}", ctx)
        name, command, _ = ctx.command.resolve_command(ctx, [word])
        if command is None:
            raise click.UsageError(f"no such command {word!r}", ctx)
        ctx = click.Context(command, ctx, name, max_content_width=ctx.max_content_width)
    click.echo(ctx.get_help())


def main() -> None:
    """Run the command line and exit with its code."""
    # As an exception, SIGTERM runs the same clean-up as an error, so nothing (an embedded Postgres) is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.TERMINATED))
    ignored = isolate()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a test may replace it
            # A terminal of another encoding shows an escape for each character that it lacks.
            stream.reconfigure(errors="backslashreplace")
    debug, arguments = _split_debug(sys.argv[1:])
    if COMPLETE_VARIABLE in os.environ:
        import_module(COMMANDS["completion"])  # it adapts click's completion of bash
    try:
        code = relex.main(arguments, "relex", COMPLETE_VARIABLE, standalone_mode=False, obj=ignored)
    except click.ClickException as error:
        _print_usage_error(error)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = ExitCode.INTERRUPTED
    except (RelexError, UnexpectedError, OSError) as error:
        if debug:
            raise
        _print_message(f"error: {_message(error)}")
        code = ExitCode.of(error)
    sys.exit(code)


def _split_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Return whether --debug is among the arguments, and the arguments without it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    words = [word for word in arguments[:end] if word != DEBUG]
    return len(words) < end, [*words, *arguments[end:]]


def _print_usage_error(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    message = error.format_message().rstrip(".")
    _print_message(f"error: {_printable_lines(message[:1].lower() + message[1:])}")
    if isinstance(error, click.UsageError) and error.ctx:
        _print_message(_usage_hint(error, error.ctx))


def _print_message(text: str) -> None:
    from cli.folding import print_message  # noqa: PLC0415 - `relex --help` needs no rich

    print_message(text)


def _usage_hint(error: click.UsageError, ctx: click.Context) -> str:
    """Return the example of a command that lacks a parameter, and for other mistakes the way to its help."""
    example = inspect.cleandoc(ctx.command.help or "").partition("Example: ")[2]
    if isinstance(error, click.MissingParameter) and example:
        return next_steps.example(example)
    return f"hint: {hints.show_help(ctx.command_path)}"


def _message(error: RelexError | UnexpectedError | OSError) -> str:
    """Return the message of an error; what it quotes from files and arguments cannot control the terminal."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return _printable_lines(text)


def _printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


if __name__ == "__main__":
    main()
