"""Text in one form: macOS writes Hangul as single letters (NFD), which looks equal and is other text to a program.

Sentences and words are composed (NFC, Unicode annex 15) as they are read; offsets move along.
"""

from unicodedata import is_normalized, normalize


def composed(text: str) -> str:
    """The text in NFC; the very same object where it is so already."""
    return text if is_normalized("NFC", text) else normalize("NFC", text)


def moved(text: str, position: int) -> int | None:
    """Where a position of the text lies in the composed text; None inside a character, or outside the text."""
    if not 0 <= position <= len(text):
        return None
    before, after = composed(text[:position]), composed(text[position:])
    return len(before) if before + after == composed(text) else None
