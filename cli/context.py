"""What every command starts with: the settings, an open database, and the two consoles."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from cli.folding import fold
from relex.db.connection import Database
from relex.flows.database import open_database
from relex.settings import Settings


@contextmanager
def open_app() -> Iterator[tuple[Settings, Database]]:
    """Open the database that the current settings name."""
    settings = Settings.from_env()
    with open_database(settings) as database:
        yield settings, database


def stderr_console(*, quiet: bool = False) -> Console:
    """Return the console for people, on stderr, so that stdout carries only data.

    Square brackets are plain text: names and messages of other programs hold them too.
    """
    return _console(stderr=True, quiet=quiet)


def stdout_console() -> Console:
    """Return the console for results that people read."""
    return _console()


class _MessageConsole(Console):
    """A console that breaks no word of a message where the terminal is narrow."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, with texts folded."""
        if self.is_terminal:
            objects = tuple(fold(each, self.width) if isinstance(each, str) else each for each in objects)
        super().print(*objects, **options)


def _console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Make a console that prints no escape sequence where NO_COLOR is set, not even for bold text."""
    return _MessageConsole(
        stderr=stderr,
        quiet=quiet,
        highlight=False,
        soft_wrap=True,
        markup=False,
        emoji=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )
