"""A piece of a sentence and tildes under a part of it, so that both line up in a terminal.

Hangul, Hanja and emoji are two cells wide (Unicode annex 11), combining marks none.
"""

import unicodedata

from relex.errors import LONGEST, printable

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
