"""The ```console blocks of the pages: commands behind `$ `, what they print below them."""

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROMPT = "$ "
ASK_EXIT_CODE = "echo $?"
ELISION = "..."


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a page."""

    text: str
    shown: tuple[str, ...]
    """The lines that the page shows below the command, without the elisions."""
    exit_code: int
    """The exit code that the page states by `$ echo $?`; 0 where it states none."""


def commands(page: Path) -> list[Command]:
    """Return all commands of a page, in order."""
    return [command for block in BLOCK.findall(page.read_text("utf-8")) for command in _of_block(block)]


def _of_block(block: str) -> list[Command]:
    """Return the commands of one block."""
    parts = [_split(part) for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part.strip()]
    following = [*parts[1:], ("", ())]
    return [
        Command(text, shown, int(after[1][0]) if after[0] == ASK_EXIT_CODE else 0)
        for (text, shown), after in zip(parts, following, strict=True)
    ]


def _split(part: str) -> tuple[str, tuple[str, ...]]:
    """Separate a command, which a backslash continues on the next line, from what it prints."""
    lines = part.splitlines()
    length = next(number for number, line in enumerate(lines, 1) if not line.endswith("\\"))
    return "\n".join(lines[:length]).strip(), tuple(line for line in lines[length:] if line not in ("", ELISION))


PROGRESS = re.compile(r"ID 0 / 0 rows 0%")
"""A line of progress: how many there are depends on the machine."""


def comparable(lines: list[str]) -> list[str]:
    """Mask what differs from run to run: ids, numbers and the width of columns; leave lines of progress out."""
    masked = [re.sub(r'"\[0\..*', "PROBABILITIES", line) for line in lines]
    masked = [re.sub(r"\b[jr]-[0-9a-z]{6}\b", "ID", line) for line in masked]
    masked = [re.sub(r"\d+([.,:]\d+)*", "0", line) for line in masked]
    masked = [re.sub(r"\s+", " ", line).strip() for line in masked]
    return [line for line in masked if line and not PROGRESS.match(line)]
