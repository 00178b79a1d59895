"""From the cells of an entity to an Entity.

An entity is one cell, `{'word': ..., 'start_idx': ..., 'end_idx': ..., 'type': ...}` as a Python dict literal or JSON,
or a cell for each of its parts. The cells repeat the word, so a wrong offset is always detected, and the right one can
often be suggested; where there are no offsets, the word itself is looked for.
"""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from relex.domain.examples import Entity
from relex.errors import quoted
from relex.files.columns import BadCell, unknown
from relex.files.conventions import Conventions, Votes
from relex.files.literals import read_dict
from relex.files.lookalikes import composed, difference
from relex.files.offsets import fitting_offsets, occurrences, place, span
from relex.files.problems import marked
from relex.files.types import KNOWN_TYPES, usual_type
from relex.labels import ENTITY_TYPES

WORD, START, END, TYPE = "word", "start_idx", "end_idx", "type"
OTHER_KEYS = {
    WORD: ("text", "entity", "mention", "name", "surface"),
    START: ("start", "begin", "start_offset", "start_index"),
    END: ("end", "end_offset", "end_index"),
    TYPE: ("entity_type", "label", "tag", "ner"),
}
"""Other common names of these keys."""
MISMATCH = ("word-mismatch", "word does not match the sentence")
PLACES_SHOWN = 5
NUMBER_TEXT = re.compile(r"\s*-?[0-9]{1,9}(?:\.0{1,9})?\s*", re.ASCII)
NUMPY_NUMBER = re.compile(r"\s*(?:np|numpy)\.u?int\d+\((-?[0-9]{1,9})\)\s*", re.ASCII)
MAX_FLOAT = 10**9
NUMBER = "(0|[1-9][0-9]{0,8})"
USUAL = re.compile(
    r"\{'word': (?:'([^'\\]*)'|\"([^\"\\]*)\"), "
    rf"'start_idx': {NUMBER}, 'end_idx': {NUMBER}, 'type': '([^'\\]*)'\}}"
)
"""The form in which Python prints such a dict; matching it is 14 times as fast as parsing a literal."""
DEFAULT = Conventions()


class RawEntity(NamedTuple):
    """An entity as its cells say it: with a word, with offsets, or with both."""

    word: str | None
    offsets: tuple[int, int] | None
    type: str


def read_entity(
    cells: str | tuple[str, ...], sentence: str, conventions: Conventions = DEFAULT, votes: Votes | None = None
) -> Entity:
    """Return an entity: its word and its position in the NFC-composed sentence.

    Args:
        cells: its one cell, or its word, start, end and type; the word may be left out.
        sentence: as it is in the file; the offsets may count its characters or those of its composed form.
        conventions: how offsets are counted, and which of several places is meant.
        votes: counts of what agrees with the conventions; updated here.

    Raises:
        BadCell: the cells do not describe an entity, its type is unknown, or its offsets do not match its word.
    """
    votes = Votes() if votes is None else votes
    raw = _parse(cells) if isinstance(cells, str) else _from_parts(cells)
    whole = composed(sentence)
    type_ = raw.type if raw.type in KNOWN_TYPES else _other_type(raw.type, votes)
    word = _cut(raw, sentence, conventions) if raw.word is None else composed(raw.word)
    if not word or word.isspace():
        raise BadCell("broken-entity", "the word is empty")
    if raw.offsets is None:
        start = _locate(word, whole, conventions)
        votes.located += 1
        return Entity(word, start, start + len(word), type_)
    range_ = span(*raw.offsets, sentence, conventions.unit, exclusive=conventions.end_exclusive)
    position = range_ and place(word, *range_, sentence, whole)
    if not position:
        raise _mismatch(word, raw.offsets, (sentence, whole), conventions, votes)
    votes.placed += 1
    return Entity(word, *position, type_)


def check_apart(subject: Entity, object_: Entity) -> None:
    """Reject entities that share characters, because their markers would cross."""
    if subject.start < object_.end and object_.start < subject.end:
        shared = f"subject at {subject.start}-{subject.end - 1}, object at {object_.start}-{object_.end - 1}"
        raise BadCell("overlapping-entities", f"subject and object overlap: {shared}")


def _other_type(name: str, votes: Votes) -> str:
    type_ = usual_type(name)
    if type_ is None:
        message = unknown("type", name, ENTITY_TYPES) if name.strip() else "the type is empty"
        raise BadCell("unknown-type", message, part="type")
    votes.types.setdefault(name, type_)
    return type_


def _locate(word: str, whole: str, conventions: Conventions) -> int:
    """Return where a word without offsets stands."""
    places = list(islice(occurrences(word, whole), PLACES_SHOWN + 1))
    if not places:
        raise BadCell("word-missing", f"{quoted(word)} is nowhere in the sentence", difference(word, whole, 0))
    if len(places) > 1 and not conventions.first_occurrence:
        shown = ", ".join(f"{start}-{start + len(word) - 1}" for start in places[:PLACES_SHOWN])
        more = ", ..." if len(places) > PLACES_SHOWN else ""
        message = f"{quoted(word)} occurs several times in the sentence, and no offset says which is meant"
        raise BadCell("several-places", message, f"at {shown}{more}", marked(whole, places[0], places[0] + len(word)))
    return places[0]


def _cut(raw: RawEntity, sentence: str, conventions: Conventions) -> str:
    """Return what the offsets cut out of the sentence, where the file has no words."""
    range_ = raw.offsets and span(*raw.offsets, sentence, conventions.unit, exclusive=conventions.end_exclusive)
    if not range_ or not 0 <= range_[0] < range_[1] <= len(sentence):
        raise BadCell("offset-outside", "offsets lie outside the sentence")
    return composed(sentence[slice(*range_)])


def _mismatch(
    word: str, offsets: tuple[int, int], texts: tuple[str, str], conventions: Conventions, votes: Votes
) -> BadCell:
    """Count offsets that do not match their word, and return the error with what they cut out."""
    sentence, whole = texts
    start, last = offsets
    range_ = span(start, last, sentence, conventions.unit, exclusive=conventions.end_exclusive)
    end = last if conventions.end_exclusive else last + 1
    first, stop = range_ or (start, end)
    outside = first < 0 or stop > len(sentence)
    code, message = ("offset-outside", "offsets lie outside the sentence") if outside else MISMATCH
    other = span(start, last, sentence, conventions.unit, exclusive=not conventions.end_exclusive)
    fits_other_end = bool(other and place(word, *other, sentence, whole))
    votes.mismatched += 1
    votes.misplaced += fits_other_end
    votes.fitting.update(fitting_offsets(word, offsets, sentence, whole))
    hint = _hint(word, offsets, (first, stop), whole)
    if fits_other_end:
        usual = "exclusive in this file" if conventions.end_exclusive else "inclusive"
        right = f"end_idx is {usual}: {start}-{last + (1 if conventions.end_exclusive else -1)}"
        hint = _hint(word, offsets, (first, stop), whole, right)
    return BadCell(code, message, hint, marked(whole, first, stop))


def _parse(cell: str) -> RawEntity:
    usual = USUAL.fullmatch(cell)
    if usual:
        single, double, start, last, type_ = usual.groups()
        return RawEntity(single or double or "", (int(start), int(last)), type_)
    values = read_dict(cell)
    usual_names = {key: _usual_name(values, key) for key in OTHER_KEYS}
    named = {key: values[name] for key, name in usual_names.items() if name is not None}
    needed = (WORD, START, END, TYPE) if START in named or END in named else (WORD, TYPE)
    missing = [key for key in needed if key not in named]
    if missing:
        raise BadCell("broken-entity", f"{missing[0]} is missing in {quoted(cell)}")
    offsets = (_whole_number(named[START], START), _whole_number(named[END], END)) if START in named else None
    return RawEntity(_text(named, WORD), offsets, _text(named, TYPE))


def _from_parts(cells: tuple[str, ...]) -> RawEntity:
    *words, start, end, type_ = cells
    word = words[0] if words else None
    if word is not None and not start and not end:
        return RawEntity(word, None, type_)
    return RawEntity(word, (_whole_number(start, "the start", "start"), _whole_number(end, "the end", "end")), type_)


def _usual_name(values: Mapping[Any, Any], key: str) -> str | None:
    """Return the name under which a dict has the value of a key, or None."""
    return next((name for name in (key, *OTHER_KEYS[key]) if name in values), None)


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values[key]
    if not isinstance(value, str):
        raise BadCell("broken-entity", f"{key} must be text, not {quoted(repr(value))}")
    return value


def _whole_number(value: Any, key: str, part: str = "") -> int:
    """Return a whole number; text and floats without a fraction are accepted, as spreadsheets write them."""
    written = value
    if isinstance(value, str):
        numpy = NUMPY_NUMBER.fullmatch(value)
        if numpy:
            return int(numpy[1])
        if NUMBER_TEXT.fullmatch(value):
            value = float(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_FLOAT:
        return int(value)
    if type(value) is not int:  # isinstance would let True pass as a number
        raise BadCell("broken-entity", f"{key} must be a whole number, not {quoted(repr(written))}", part=part)
    return value


def _hint(word: str, offsets: tuple[int, int], range_: tuple[int, int], whole: str, right: str = "") -> str:
    """Describe what the offsets cut out, and where the word really is."""
    cut = whole[max(range_[0], 0) : max(range_[1], 0)]
    right = right or _right_place(word, *range_, whole)
    return f"start_idx {offsets[0]}, end_idx {offsets[1]} -> {quoted(cut)}   word says {quoted(word)} ({right})"


def _right_place(word: str, start: int, end: int, sentence: str) -> str:
    """Describe where the word really is, with inclusive ends, and how the offsets may have been counted."""
    place_ = _nearest(word, start, sentence)
    if place_ is None:
        return difference(word, sentence, start) or "it is nowhere in the sentence"
    right = f"{place_}-{place_ + len(word) - 1}"
    if start >= 0 and _cut_utf16(sentence, start, end) == word:
        return f"counted in UTF-16 units? in characters at {right}"
    return f"at {right}?"


def _nearest(word: str, start: int, sentence: str) -> int | None:
    start = max(start, 0)
    places = (sentence.rfind(word, 0, start + len(word)), sentence.find(word, start))
    return min((each for each in places if each >= 0), key=lambda each: abs(each - start), default=None)


def _cut_utf16(sentence: str, start: int, end: int) -> str:
    units = sentence.encode("utf-16-le", "surrogatepass")
    return units[2 * start : 2 * end].decode("utf-16-le", "replace")
