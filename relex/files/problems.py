"""What checking a CSV found, as values: submit shows and stores them, reading repeats the check with them.

A piece of a sentence and tildes under a part of it, so that both line up in a terminal.

Hangul, Hanja and emoji are two cells wide (Unicode annex 11), combining marks none.

Faults in words, for a terminal and for an error message.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relex.errors import LONGEST, counted, printable, shortened
from relex.files.conventions import Conventions


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One thing that is wrong with one record of the file.

    `excerpt` and `underline` are two lines of equal width in terminal cells: a piece of the sentence, and tildes
    under the wrong place.
    """

    line: int
    """Physical line on which the record starts; the header is line 1."""
    id: str | None
    """Text of the id column, or None where the record could not be split into columns."""
    column: str
    code: str
    """Kind of fault in kebab-case, as counted in :attr:`FileFacts.fault_counts`."""
    message: str
    hint: str = ""
    """The offsets, what they cut out, and the right ones where they can be told."""
    excerpt: str = ""
    underline: str = ""

    @property
    def detail(self) -> tuple[str, ...]:
        """The lines to show under the message, without indent: none, or excerpt and underline with the hint."""
        return (self.excerpt, f"{self.underline}  {self.hint}") if self.excerpt else ()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What one pass over the whole file found; `rows` counts records, `accepted + rejected == rows`."""

    sha256: str
    size: int
    """Bytes."""
    codec: str
    """Python's name of the encoding."""
    bom: bool
    rows: int
    accepted: int
    rejected: int
    labelled: int
    """Accepted records with a gold label."""
    fault_counts: Mapping[str, int]
    """Faults by code, most frequent first; a record may have more than one."""
    faults: tuple[RowProblem, ...]
    """The first few, in file order: a file may hold millions."""
    conventions: Conventions
    """How the cells are meant."""
    notes: tuple[str, ...]
    """What a person should know although nothing is wrong."""
    rejected_to: Path | None = None
    """The file that holds the bad records, where one was asked for and could be written."""
    rejected_error: str = ""
    """Why it could not be written."""

    @property
    def placeholder(self) -> str | None:
        """The label of most records, where that is no relation: the file has no gold labels."""
        return self.conventions.placeholder

    @property
    def encoding(self) -> str:
        """The encoding as a person is told it."""
        return f"{self.codec} with BOM" if self.bom else self.codec


AROUND = 24
"""Characters shown on either side of the marked part."""


def width(text: str) -> int:
    """Terminal cells that a printable text takes."""
    return sum(_cells(char) for char in text)


def marked(sentence: str, start: int, end: int) -> tuple[str, str]:
    """An excerpt round `sentence[start:end]`, and spaces and tildes that mark this part of it.

    Offsets outside the sentence are moved to its edge; at least one tilde is drawn, and one for each of
    `LONGEST` characters at most.
    """
    start = min(max(start, 0), len(sentence))
    end = min(max(end, start), len(sentence), start + LONGEST)
    first, last = max(start - AROUND, 0), end + AROUND
    before = ("..." if first else "") + printable(sentence[first:start])
    part = printable(sentence[start:end])
    after = printable(sentence[end:last]) + ("..." if last < len(sentence) else "")
    return before + part + after, " " * width(before) + "~" * max(width(part), 1)


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


MAX_PROBLEMS_SHOWN = 5


def describe_problems(facts: FileFacts, name: str) -> str:
    """The first faults with place and excerpt, and the counts of all; several lines, no line end.

    Args:
        facts: of a file with at least one rejected record.
        name: what to call the file.
    """
    shown = facts.faults[:MAX_PROBLEMS_SHOWN]
    lines = [f"{name}: {facts.rejected:,} of {counted(facts.rows, 'row')} cannot be used"]
    lines += [line for fault in shown for line in _describe(fault)]
    more = sum(facts.fault_counts.values()) - len(shown)
    counts = "   ".join(f"{count:,} {code}" for code, count in facts.fault_counts.items())
    return "\n".join([*lines, f"  ... {more:,} more      {counts}" if more else f"  {counts}"])


def _describe(fault: RowProblem) -> list[str]:
    place = f"line {fault.line}" if fault.id is None else f"line {fault.line}, id {shortened(fault.id)}"
    column = f"{fault.column}: " if fault.column else ""
    return [f"  {place}  {column}{fault.message}", *(f"    | {line}" for line in fault.detail)]
