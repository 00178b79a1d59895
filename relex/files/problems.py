"""Problems of rows, and excerpts of sentences that show where they are.

An excerpt of a sentence and the tildes under it line up: Hangul, Hanja and emoji are two cells wide (Unicode annex 11),
combining marks take none.
"""

import unicodedata
from dataclasses import dataclass

from relex.errors import MAX_SHOWN_CHARS, printable

CONTEXT_CHARS = 24
"""Characters shown on either side of the marked part."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One problem of one record of the file.

    `excerpt` and `underline` are two lines of equal width in terminal cells: a piece of the sentence, and tildes
    under the wrong part.
    """

    line: int
    """Physical line on which the record starts, or number of its row, counted from 1."""
    id: str | None
    """Text of the id column; None if the record could not be split into columns."""
    column: str
    code: str
    """Kind of problem in kebab-case, as counted in :attr:`relex.files.facts.FileFacts.problem_counts`."""
    message: str
    hint: str = ""
    """The offsets, what they cut out, and the right ones if they can be found."""
    excerpt: str = ""
    underline: str = ""

    @property
    def detail(self) -> tuple[str, ...]:
        """Lines to show under the message, not indented: excerpt and underline with the hint, or none."""
        return (self.excerpt, f"{self.underline}  {self.hint}") if self.excerpt else ()


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
