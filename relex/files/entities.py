"""From an entity cell to an Entity: `{'word': ..., 'start_idx': ..., 'end_idx': ..., 'type': ...}`.

The cell is a Python dict literal or JSON; `end_idx` is inclusive unless the whole file has it otherwise, and both
offsets count code points. The word is repeated in the cell, so a wrong offset is always noticed, and mostly the right
one can be found.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from relex.domain.examples import Entity
from relex.errors import quoted
from relex.files.columns import BadCell, unknown
from relex.files.literals import read_dict
from relex.files.lookalikes import composed, difference, moved
from relex.files.problems import marked
from relex.labels import ENTITY_TYPES

WORD, START, END, TYPE = KEYS = ("word", "start_idx", "end_idx", "type")
OTHER_KEYS = {
    **dict.fromkeys(("text", "entity", "mention", "name", "surface"), WORD),
    **dict.fromkeys(("start", "begin", "start_offset"), START),
    **dict.fromkeys(("end", "end_offset"), END),
    **dict.fromkeys(("entity_type", "label", "tag", "ner"), TYPE),
}
"""What others call these keys: not read, but the right name is said."""
MISMATCH = ("word-mismatch", "word does not match the sentence")
NUMBER_TEXT = re.compile(r"\s*-?[0-9]{1,9}(?:\.0{1,9})?\s*", re.ASCII)
LARGEST = 10**9
NUMBER = "(0|[1-9][0-9]{0,8})"
USUAL = re.compile(
    r"\{'word': (?:'([^'\\]*)'|\"([^\"\\]*)\"), "
    rf"'start_idx': {NUMBER}, 'end_idx': {NUMBER}, 'type': '([^'\\]*)'\}}"
)
"""The form in which Python prints such a dict: 14 times as fast as parsing it as a literal."""


def read_entity(cell: str, sentence: str, *, end_exclusive: bool = False) -> Entity:
    """The entity that a cell describes, its word and its place in the composed sentence.

    Args:
        cell: the cell.
        sentence: as it stands in the file, by which the offsets count; composed offsets will do, too.
        end_exclusive: whether the file's `end_idx` is the place behind the word.

    Raises:
        BadCell: the cell is no such dict, its type is unknown, or its offsets do not cut its word out of the
            sentence.
    """
    raw_word, start, last, type_ = _parse(cell)
    word, whole = composed(raw_word), composed(sentence)
    if not word or word.isspace():
        raise BadCell("broken-entity", "the word is empty")
    if type_ not in ENTITY_TYPES:
        raise BadCell("unknown-type", unknown("type", type_, ENTITY_TYPES))
    end = last if end_exclusive else last + 1
    place = _place(word, start, end, sentence, whole)
    if place:
        return Entity(word, *place, type_)
    outside = start < 0 or end > len(sentence)
    code, message = ("offset-outside", "offsets lie outside the sentence") if outside else MISMATCH
    other = _place(word, start, last + 1 if end_exclusive else last, sentence, whole) is not None
    hint = _hint(word, (start, last), whole, end_exclusive=end_exclusive, other=other)
    raise BadCell(code, message, hint, marked(whole, start, end), other_end=other)


def _place(word: str, start: int, end: int, sentence: str, whole: str) -> tuple[int, int] | None:
    """Where these offsets cut the word out of the composed sentence, if they do."""
    if start < 0 or end < 0:
        return None
    if whole is not sentence:
        first, behind = moved(sentence, start), moved(sentence, end)
        if first is not None and behind is not None and whole[first:behind] == word:
            return first, behind
    return (start, end) if end <= len(whole) and whole[start:end] == word else None


def check_apart(subject: Entity, object_: Entity) -> None:
    """Refuse entities that share characters: their markers would cross."""
    if subject.start < object_.end and object_.start < subject.end:
        shared = f"subject at {subject.start}-{subject.end - 1}, object at {object_.start}-{object_.end - 1}"
        raise BadCell("overlapping-entities", f"subject and object overlap: {shared}")


def _parse(cell: str) -> tuple[str, int, int, str]:
    usual = USUAL.fullmatch(cell)
    if usual:
        single, double, start, last, type_ = usual.groups()
        return single or double or "", int(start), int(last), type_
    values = read_dict(cell)
    missing = [key for key in KEYS if key not in values]
    if missing:
        raise BadCell("broken-entity", f"{missing[0]} is missing in {quoted(cell)}{_renaming(values, missing)}")
    return _text(values, WORD), _whole_number(values, START), _whole_number(values, END), _text(values, TYPE)


def _renaming(values: Mapping[Any, Any], missing: Sequence[str]) -> str:
    """What others call the missing keys."""
    pairs = [(name, OTHER_KEYS[name]) for name in values if OTHER_KEYS.get(name) in missing]
    return f"; rename {', '.join(f'{name} to {key}' for name, key in pairs)}" if pairs else ""


def _text(values: Mapping[Any, Any], key: str) -> str:
    value = values[key]
    if not isinstance(value, str):
        raise BadCell("broken-entity", f"{key} must be text, not {quoted(repr(value))}")
    return value


def _whole_number(values: Mapping[Any, Any], key: str) -> int:
    """A whole number, also as text or as a float without a fraction: what tables make of numbers."""
    value = values[key]
    if isinstance(value, str) and NUMBER_TEXT.fullmatch(value):
        value = float(value)
    if type(value) is float and value.is_integer() and abs(value) < LARGEST:
        return int(value)
    if type(value) is not int:  # isinstance would let True pass as a number
        raise BadCell("broken-entity", f"{key} must be a whole number, not {quoted(repr(value))}")
    return value


def _hint(word: str, given: tuple[int, int], sentence: str, *, end_exclusive: bool, other: bool) -> str:
    """What the offsets cut out, and where the word really stands."""
    start, last = given
    end = last if end_exclusive else last + 1
    cut = sentence[max(start, 0) : max(end, 0)]
    right = _right_place(word, start, end, sentence)
    if other and end_exclusive:
        right = f"end_idx is exclusive in this file: {start}-{last + 1}"
    elif other:
        right = f"end_idx is inclusive: {start}-{last - 1}"
    return f"start_idx {start}, end_idx {last} -> {quoted(cut)}   word says {quoted(word)} ({right})"


def _right_place(word: str, start: int, end: int, sentence: str) -> str:
    """Where the word really stands, with inclusive ends, and how the offsets may have come about."""
    place = _nearest(word, start, sentence)
    if place is None:
        return difference(word, sentence, start) or "it is nowhere in the sentence"
    right = f"{place}-{place + len(word) - 1}"
    if start >= 0 and _cut_utf16(sentence, start, end) == word:
        return f"counted in UTF-16 units? in characters at {right}"
    return f"at {right}?"


def _nearest(word: str, start: int, sentence: str) -> int | None:
    start = max(start, 0)
    places = (sentence.rfind(word, 0, start + len(word)), sentence.find(word, start))
    return min((place for place in places if place >= 0), key=lambda place: abs(place - start), default=None)


def _cut_utf16(sentence: str, start: int, end: int) -> str:
    units = sentence.encode("utf-16-le", "surrogatepass")
    return units[2 * start : 2 * end].decode("utf-16-le", "replace")
