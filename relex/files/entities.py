"""From an entity cell to an Entity: `{'word': ..., 'start_idx': ..., 'end_idx': ..., 'type': ...}`.

The cell is a Python dict literal or JSON; `end_idx` is inclusive unless the whole file uses exclusive ends, and both
offsets count code points. The cell repeats the word, so a wrong offset is always detected, and the right one can often
be suggested.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from relex.domain.examples import Entity
from relex.errors import quoted
from relex.files.columns import BadCell, unknown
from relex.files.literals import read_dict
from relex.files.lookalikes import composed, composed_position, difference
from relex.files.problems import marked
from relex.labels import ENTITY_TYPES

WORD, START, END, TYPE = KEYS = ("word", "start_idx", "end_idx", "type")
OTHER_KEYS = {
    **dict.fromkeys(("text", "entity", "mention", "name", "surface"), WORD),
    **dict.fromkeys(("start", "begin", "start_offset"), START),
    **dict.fromkeys(("end", "end_offset"), END),
    **dict.fromkeys(("entity_type", "label", "tag", "ner"), TYPE),
}
"""Other common names of these keys; they are not read, but the message suggests the right one."""
MISMATCH = ("word-mismatch", "word does not match the sentence")
NUMBER_TEXT = re.compile(r"\s*-?[0-9]{1,9}(?:\.0{1,9})?\s*", re.ASCII)
MAX_FLOAT = 10**9
NUMBER = "(0|[1-9][0-9]{0,8})"
USUAL = re.compile(
    r"\{'word': (?:'([^'\\]*)'|\"([^\"\\]*)\"), "
    rf"'start_idx': {NUMBER}, 'end_idx': {NUMBER}, 'type': '([^'\\]*)'\}}"
)
"""The form in which Python prints such a dict; matching it is 14 times as fast as parsing a literal."""


def read_entity(cell: str, sentence: str, *, end_exclusive: bool = False) -> Entity:
    """Return the entity of a cell: its word and its position in the NFC-composed sentence.

    Args:
        cell: the cell.
        sentence: as it is in the file; the offsets may count its characters or those of its composed form.
        end_exclusive: whether the file's `end_idx` is the position after the word.

    Raises:
        BadCell: the cell is not such a dict, its type is unknown, or its offsets do not match its word.
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
    fits_other_end = _place(word, start, last + 1 if end_exclusive else last, sentence, whole) is not None
    hint = _hint(word, (start, last), whole, end_exclusive=end_exclusive, fits_other_end=fits_other_end)
    raise BadCell(code, message, hint, marked(whole, start, end), other_end=fits_other_end)


def _place(word: str, start: int, end: int, sentence: str, whole: str) -> tuple[int, int] | None:
    """Return the word's position in the composed sentence if these offsets match it, else None."""
    if start < 0 or end < 0:
        return None
    if whole is not sentence:
        new_start, new_end = composed_position(sentence, start), composed_position(sentence, end)
        if new_start is not None and new_end is not None and whole[new_start:new_end] == word:
            return new_start, new_end
    return (start, end) if end <= len(whole) and whole[start:end] == word else None


def check_apart(subject: Entity, object_: Entity) -> None:
    """Reject entities that share characters, because their markers would cross."""
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
    """Suggest new names for keys that are known by other names."""
    pairs = [(name, OTHER_KEYS[name]) for name in values if OTHER_KEYS.get(name) in missing]
    return f"; rename {', '.join(f'{name} to {key}' for name, key in pairs)}" if pairs else ""


def _text(values: Mapping[Any, Any], key: str) -> str:
    value = values[key]
    if not isinstance(value, str):
        raise BadCell("broken-entity", f"{key} must be text, not {quoted(repr(value))}")
    return value


def _whole_number(values: Mapping[Any, Any], key: str) -> int:
    """Return a whole number; text and floats without a fraction are accepted, as spreadsheets write them."""
    value = values[key]
    if isinstance(value, str) and NUMBER_TEXT.fullmatch(value):
        value = float(value)
    if type(value) is float and value.is_integer() and abs(value) < MAX_FLOAT:
        return int(value)
    if type(value) is not int:  # isinstance would let True pass as a number
        raise BadCell("broken-entity", f"{key} must be a whole number, not {quoted(repr(value))}")
    return value


def _hint(word: str, offsets: tuple[int, int], sentence: str, *, end_exclusive: bool, fits_other_end: bool) -> str:
    """Describe what the offsets cut out, and where the word really is."""
    start, last = offsets
    end = last if end_exclusive else last + 1
    cut = sentence[max(start, 0) : max(end, 0)]
    right = _right_place(word, start, end, sentence)
    if fits_other_end and end_exclusive:
        right = f"end_idx is exclusive in this file: {start}-{last + 1}"
    elif fits_other_end:
        right = f"end_idx is inclusive: {start}-{last - 1}"
    return f"start_idx {start}, end_idx {last} -> {quoted(cut)}   word says {quoted(word)} ({right})"


def _right_place(word: str, start: int, end: int, sentence: str) -> str:
    """Describe where the word really is, with inclusive ends, and how the offsets may have been counted."""
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
