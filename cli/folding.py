"""Messages on a narrow terminal: lines break between words, and what a person copies stays whole."""

import re
from collections.abc import Iterator

import click
from rich.cells import cell_len
from rich.console import Console

EXCERPT = "    | "
"""The beginning of a line of an excerpt, whose tildes stand under its words."""
COMMAND = "hint: relex "
"""The beginning of a line that is a whole command; a shell joins its lines at the backslashes."""
WORD = re.compile(
    r"""(\s*)(
        --[\w-]+\ (?:'[^']*'|[^\s'])+  # an option with its value
        | [^\s`]*`[^`]*`[^\s`]*        # a command in backticks
        | \S+
    )""",
    re.VERBOSE,
)
INDENT = "  "


def fold(text: str, width: int) -> str:
    """Break the lines of a message between words.

    A command in backticks, an option with its value, and a word that is wider than the terminal are left whole; a
    hint that is a command continues behind a backslash, so that it can be copied over its lines.

    Args:
        text: the message.
        width: number of cells of the terminal; a Hangul syllable takes two.
    """
    return "\n".join(
        line if line.startswith(EXCERPT) else "\n".join(_fold_line(line, width)) for line in text.split("\n")
    )


def _fold_line(line: str, width: int) -> Iterator[str]:
    if cell_len(line) <= width:
        yield line
        return
    end = " \\" if line.startswith(COMMAND) else ""
    indent = line[: len(line) - len(line.lstrip())] + INDENT
    current = ""
    for spaces, word in WORD.findall(line):
        if current.strip() and cell_len(current + spaces + word + end) > width:
            yield current + end
            current = indent + word
        else:
            current += spaces + word
    yield current


def print_message(text: str) -> None:
    """Print a message on stderr."""
    console = Console(stderr=True)
    click.echo(fold(text, console.width) if console.is_terminal else text, err=True)
