"""Problems of rows and facts of a file, as the check of a CSV returns them, and their description for a terminal.

An excerpt of a sentence and the tildes under it line up: Hangul, Hanja and emoji are two cells wide (Unicode annex 11),
combining marks take none.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relex.errors import MAX_SHOWN_CHARS, printable, shortened
from relex.files.conventions import Conventions

CONTEXT_CHARS = 24
"""Characters shown on either side of the marked part."""
MAX_PROBLEMS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One problem of one record of the file.

    `excerpt` and `underline` are two lines of equal width in terminal cells: a piece of the sentence, and tildes
    under the wrong part.
    """

    line: int
    """Physical line on which the record starts, counted from 1."""
    id: str | None
    """Text of the id column; None if the record could not be split into columns."""
    column: str
    code: str
    """Kind of problem in kebab-case, as counted in :attr:`FileFacts.problem_counts`."""
    message: str
    hint: str = ""
    """The offsets, what they cut out, and the right ones if they can be found."""
    excerpt: str = ""
    underline: str = ""

    @property
    def detail(self) -> tuple[str, ...]:
        """Lines to show under the message, not indented: excerpt and underline with the hint, or none."""
        return (self.excerpt, f"{self.underline}  {self.hint}") if self.excerpt else ()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The result of checking a whole file; `rows` counts records, `accepted + rejected == rows`."""

    sha256: str
    size: int
    """Size of the file in bytes."""
    codec: str
    """Python's name of the encoding."""
    bom: bool
    rows: int
    accepted: int
    rejected: int
    labeled: int
    """Accepted records with a gold label."""
    problem_counts: Mapping[str, int]
    """Number of problems by code, most frequent first; a record may have several."""
    problems: tuple[RowProblem, ...]
    """The first problems in file order; not all of them, because a file may have millions."""
    conventions: Conventions
    """How the cells were read."""
    notes: tuple[str, ...]
    """What the user should know although it is not a problem."""
    rejected_to: Path | None = None
    """The file of the invalid records, if one was requested and could be written."""
    rejected_error: str = ""
    """Why that file could not be written; empty if it was."""

    @property
    def placeholder(self) -> str | None:
        """The label of most records if it is not a relation: the file has no gold labels."""
        return self.conventions.placeholder

    @property
    def encoding(self) -> str:
        """The encoding as shown to the user."""
        return f"{self.codec} with BOM" if self.bom else self.codec


def width(text: str) -> int:
    """Return the number of terminal cells of a printable text."""
    return sum(_cells(char) for char in text)


def marked(sentence: str, start: int, end: int) -> tuple[str, str]:
    """Return an excerpt around `sentence[start:end]`, and spaces and tildes that underline this part.

    Offsets outside the sentence are moved to its edge; at least one tilde is drawn, and at most one for each of
    `LONGEST` characters.
    """
    start = min(max(start, 0), len(sentence))
    end = min(max(end, start), len(sentence), start + MAX_SHOWN_CHARS)
    first, last = max(start - CONTEXT_CHARS, 0), end + CONTEXT_CHARS
    before = ("..." if first else "") + printable(sentence[first:start])
    part = printable(sentence[start:end])
    after = printable(sentence[end:last]) + ("..." if last < len(sentence) else "")
    return before + part + after, " " * width(before) + "~" * max(width(part), 1)


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def describe_problems(facts: FileFacts, name: str) -> str:
    """Describe the first problems with place and excerpt, and count all: several lines, no final line end.

    Args:
        facts: of a file with at least one rejected record.
        name: what to call the file.
    """
    shown = facts.problems[:MAX_PROBLEMS_SHOWN]
    lines = [f"{name}: {_count_rejected(facts)} invalid"]
    lines += [line for problem in shown for line in _describe(problem)]
    more = sum(facts.problem_counts.values()) - len(shown)
    counts = "   ".join(f"{count:,} {code}" for code, count in facts.problem_counts.items())
    return "\n".join([*lines, f"  ... {more:,} more      {counts}" if more else f"  {counts}"])


def _count_rejected(facts: FileFacts) -> str:
    if facts.rows == 1:
        return "the only row is"
    if facts.rejected == facts.rows:
        return f"all {facts.rows:,} rows are"
    return f"{facts.rejected:,} of {facts.rows:,} rows {'is' if facts.rejected == 1 else 'are'}"


def _describe(problem: RowProblem) -> list[str]:
    place = f"line {problem.line}" if problem.id is None else f"line {problem.line}, id {shortened(problem.id)}"
    column = f"{problem.column}: " if problem.column else ""
    return [f"  {place}  {column}{problem.message}", *(f"    | {line}" for line in problem.detail)]
