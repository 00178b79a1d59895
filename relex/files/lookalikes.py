"""Text in one form: macOS writes Hangul as single letters (NFD), which looks equal and is other text to a program.

Sentences and words are composed (NFC, Unicode annex 15) as they are read; offsets move along.

A word that a sentence seems to hold and does not: what looks the same and is another character.
"""

import html
import re
import unicodedata
from unicodedata import is_normalized, normalize

from relex.errors import printable


def composed(text: str) -> str:
    """The text in NFC; the very same object where it is so already."""
    return text if is_normalized("NFC", text) else normalize("NFC", text)


def moved(text: str, position: int) -> int | None:
    """Where a position of the text lies in the composed text; None inside a character, or outside the text."""
    if not 0 <= position <= len(text):
        return None
    before, after = composed(text[:position]), composed(text[position:])
    return len(before) if before + after == composed(text) else None


ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,10});")
LIKE = dict(zip("‘’‚′“”„″‐‑‒–—―−·・ㆍ", "''''\"\"\"\"-------···", strict=True))
"""Marks that are written for one another."""
ASCII_END = 128
NEAR = 2_000
"""Characters on either side of where a word should stand that are looked at; folding is slow."""


def difference(word: str, sentence: str, start: int) -> str:
    """What stands in the sentence in place of the word, in words; nothing where nothing like it stands there.

    Args:
        word: it is not in the sentence.
        sentence: of a long one only what lies near `start` is looked at.
        start: where the word should begin.
    """
    first = max(start - NEAR, 0)
    near = sentence[first : first + 2 * NEAR]
    folded_word, _ = _folded(word[:NEAR])
    folded, places = _folded(near)
    found = folded.find(folded_word) if folded_word.strip() and len(word) <= NEAR else -1
    if found < 0:
        return ""
    begin, end = places[found][0], places[found + len(folded_word) - 1][1]
    return f"at {first + begin}-{first + end - 1} stands {_how(near[begin:end], word)}"


def _folded(text: str) -> tuple[str, list[tuple[int, int]]]:
    """What is left where look-alikes are one, and for each character of it the piece of the text that it is of."""
    chars: list[str] = []
    places: list[tuple[int, int]] = []
    for start, end, piece in _pieces(text):
        for char in unicodedata.normalize("NFKC", LIKE.get(piece, piece)).casefold():
            if unicodedata.category(char) in ("Cf", "Cc") and not char.isspace():
                continue  # shows nothing
            if char.isspace() and chars and chars[-1] == " ":
                places[-1] = (places[-1][0], end)
                continue
            chars.append(" " if char.isspace() else LIKE.get(char, char))
            places.append((start, end))
    return "".join(chars), places


def _pieces(text: str) -> list[tuple[int, int, str]]:
    """The text's characters, `&amp;` and its like as the one that they stand for."""
    pieces = []
    position = 0
    while position < len(text):
        entity = ENTITY.match(text, position) if text[position] == "&" else None
        end = entity.end() if entity else position + 1
        pieces.append((position, end, html.unescape(text[position:end])))
        position = end
    return pieces


def _how(there: str, word: str) -> str:
    """The first place where both differ."""
    ours = [there[start:end] for start, end, _ in _pieces(there)]
    theirs = [word[start:end] for start, end, _ in _pieces(word)]
    at = next((at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), -1)
    at = min(len(ours), len(theirs)) if at < 0 else at
    return f"{_named(ours, at)} where the word has {_named(theirs, at)}"


def _named(pieces: list[str], at: int) -> str:
    if at >= len(pieces):
        return "nothing"
    if pieces[at] == " " and pieces[at - 1 : at] == [" "]:
        return "a second space"
    return character(pieces[at]) if len(pieces[at]) == 1 else f"'{printable(pieces[at])}'"


def character(char: str) -> str:
    """A character as a message shows it: with its number and name where its look may deceive."""
    if char.isalnum() or (ord(char) < ASCII_END and char.isprintable() and char != " "):
        return f"'{char}'"
    shown = f"'{printable(char)}' " if char.isprintable() and char != " " else ""
    return f"{shown}U+{ord(char):04X} {unicodedata.name(char, 'a control character')}"
