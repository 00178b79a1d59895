"""Characters that look the same: NFC composition of text, and the difference between a word and its look-alike.

macOS writes Hangul as single letters (NFD), which look like the composed syllables but are other characters. Sentences
and words are composed (NFC, Unicode annex 15) when they are read, and offsets are adjusted.
"""

import html
import re
import unicodedata
from unicodedata import is_normalized, normalize

from relex.errors import printable

HTML_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,10});")
LOOKALIKES = dict(zip("‘’‚′“”„″‐‑‒–—―−·・ㆍ", "''''\"\"\"\"-------···", strict=True))
"""Punctuation marks that are often written for one another."""
ASCII_END = 128
SEARCH_CHARS = 2_000
"""Characters searched on either side of the expected position; folding is slow."""


def composed(text: str) -> str:
    """Return the text in NFC; the same object if it is composed already."""
    return text if is_normalized("NFC", text) else normalize("NFC", text)


def composed_position(text: str, position: int) -> int | None:
    """Convert a position to one in the composed text; None inside a composed character or outside the text."""
    if not 0 <= position <= len(text):
        return None
    before, after = composed(text[:position]), composed(text[position:])
    return len(before) if before + after == composed(text) else None


def difference(word: str, sentence: str, start: int) -> str:
    """Describe what the sentence has in place of the word; empty if nothing in it looks like the word.

    Args:
        word: a word that is not in the sentence.
        sentence: only its part near `start` is searched.
        start: where the word should begin.
    """
    first = max(start - SEARCH_CHARS, 0)
    near = sentence[first : first + 2 * SEARCH_CHARS]
    folded_word, _ = _folded(word[:SEARCH_CHARS])
    folded, places = _folded(near)
    index = folded.find(folded_word) if folded_word.strip() and len(word) <= SEARCH_CHARS else -1
    if index < 0:
        return ""
    begin, end = places[index][0], places[index + len(folded_word) - 1][1]
    return f"at {first + begin}-{first + end - 1} the sentence has {_first_difference(near[begin:end], word)}"


def _folded(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Fold look-alikes to one character, and return each folded character's range in the text."""
    chars: list[str] = []
    places: list[tuple[int, int]] = []
    for start, end, piece in _pieces(text):
        for char in unicodedata.normalize("NFKC", LOOKALIKES.get(piece, piece)).casefold():
            if unicodedata.category(char) in ("Cf", "Cc") and not char.isspace():
                continue  # invisible
            if char.isspace() and chars and chars[-1] == " ":
                places[-1] = (places[-1][0], end)
                continue
            chars.append(" " if char.isspace() else LOOKALIKES.get(char, char))
            places.append((start, end))
    return "".join(chars), places


def _pieces(text: str) -> list[tuple[int, int, str]]:
    """Split the text into characters with their ranges; `&amp;` and the like become one character."""
    pieces = []
    position = 0
    while position < len(text):
        entity = HTML_ENTITY.match(text, position) if text[position] == "&" else None
        end = entity.end() if entity else position + 1
        pieces.append((position, end, html.unescape(text[position:end])))
        position = end
    return pieces


def _first_difference(text: str, word: str) -> str:
    """Describe the first character in which both differ."""
    ours = [text[start:end] for start, end, _ in _pieces(text)]
    theirs = [word[start:end] for start, end, _ in _pieces(word)]
    at = next((at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), -1)
    at = min(len(ours), len(theirs)) if at < 0 else at
    return f"{_describe(ours, at)} where the word has {_describe(theirs, at)}"


def _describe(pieces: list[str], at: int) -> str:
    if at >= len(pieces):
        return "nothing"
    if pieces[at] == " " and pieces[at - 1 : at] == [" "]:
        return "a second space"
    return character(pieces[at]) if len(pieces[at]) == 1 else f"'{printable(pieces[at])}'"


def character(char: str) -> str:
    """Return a character as a message shows it; one that may be mistaken, with its code point and name."""
    if char.isalnum() or (ord(char) < ASCII_END and char.isprintable() and char != " "):
        return f"'{char}'"
    shown = f"'{printable(char)}' " if char.isprintable() and char != " " else ""
    return f"{shown}U+{ord(char):04X} {unicodedata.name(char, 'a control character')}"
