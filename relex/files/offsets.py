"""Offsets of an entity: what they count, and where its word is in the composed sentence."""

from collections.abc import Iterator

from relex.files.conventions import CHARACTERS, UNITS
from relex.files.lookalikes import composed_position
from relex.files.options import OFFSETS


def span(start: int, last: int, sentence: str, unit: str, *, exclusive: bool) -> tuple[int, int] | None:
    """Return the range of characters that two offsets of a file mean, end exclusive; None if they cut a character.

    Args:
        start: the first offset, as it is in the file.
        last: the second one.
        sentence: the sentence, as it is in the file.
        unit: what both count, one of `relex.files.conventions.UNITS`.
        exclusive: whether the second one is the position after the word.
    """
    end = last if exclusive else last + 1
    match unit:
        case "one-based":
            return start - 1, end - 1
        case "utf-16" | "bytes":
            first, stop = (_characters(sentence, position, unit) for position in (start, end))
            return None if first is None or stop is None else (first, stop)
    return start, end


def place(word: str, start: int, end: int, sentence: str, whole: str) -> tuple[int, int] | None:
    """Return the word's position in the composed sentence if these positions match it, else None.

    The positions may count the characters of the sentence as it is in the file, or those of its composed form.
    """
    if start < 0 or end < 0:
        return None
    if whole is not sentence:
        new_start, new_end = composed_position(sentence, start), composed_position(sentence, end)
        if new_start is not None and new_end is not None and whole[new_start:new_end] == word:
            return new_start, new_end
    return (start, end) if end <= len(whole) and whole[start:end] == word else None


def fitting_offsets(word: str, offsets: tuple[int, int], sentence: str, whole: str) -> Iterator[str]:
    """Yield each value of `--offsets` with which the offsets would match the word."""
    for value in OFFSETS:
        unit, ends = (value, (False, True)) if value in UNITS else (CHARACTERS, (value == "exclusive",))
        spans = (span(*offsets, sentence, unit, exclusive=exclusive) for exclusive in ends)
        if any(each and place(word, *each, sentence, whole) for each in spans):
            yield value


def occurrences(word: str, whole: str) -> Iterator[int]:
    """Yield each position at which the word occurs in the composed sentence."""
    start = whole.find(word)
    while start >= 0:
        yield start
        start = whole.find(word, start + 1)


def _characters(sentence: str, position: int, unit: str) -> int | None:
    """Return how many characters stand before a position in units of UTF-16 or bytes; None within a character."""
    codec, width = ("utf-16-le", 2) if unit == "utf-16" else ("utf-8", 1)
    encoded = sentence.encode(codec, "surrogatepass")
    if not 0 <= width * position <= len(encoded):
        return None
    try:
        return len(encoded[: width * position].decode(codec))
    except UnicodeDecodeError:
        return None
