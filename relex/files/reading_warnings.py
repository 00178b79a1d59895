"""Notes on how a table was read, as warnings: for programs, which have no terminal."""

import sys
import warnings
from collections.abc import Iterable

from relex.files.facts import FileFacts
from relex.files.inputs import InputFile

OWN_MODULES = ("relex", "contextlib")
"""Modules whose frames lie between a warning and the line of the caller."""


class ReadingWarning(UserWarning):
    """A note on how a table was read: columns, numbered rows, names of types, offsets, composed text."""


def warn_of_reading(file: InputFile, facts: FileFacts) -> None:
    """Warn of what the user should know about how a file was read."""
    warn(file.name, facts.notes)


def warn(name: str, notes: Iterable[str]) -> None:
    """Warn of some notes on the table of this name."""
    for note in notes:
        warnings.warn(f"{name}: {note}", ReadingWarning, stacklevel=stack_level())


def stack_level() -> int:
    """Return the level at which `warnings.warn`, called where this is, names the first line outside of relex."""
    frame, level = sys._getframe(1), 1  # noqa: SLF001 - as pandas finds it; `inspect.stack` reads source files
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in OWN_MODULES:
        frame, level = frame.f_back, level + 1
    return level
