"""From an entity cell to an Entity: `{'word': ..., 'start_idx': ..., 'end_idx': ..., 'type': ...}`.

The cell is a Python dict literal or JSON; `end_idx` is inclusive and both offsets count code points. The word is
repeated in the cell, so a wrong offset is always noticed, and mostly the right one can be told.
"""

import ast
import json
import re
import warnings
from typing import Any

from relex.csvfile.cells import BadCell, unknown
from relex.csvfile.excerpts import marked
from relex.errors import quoted
from relex.examples import Entity
from relex.labels import ENTITY_TYPES

KEYS = {"word": str, "start_idx": int, "end_idx": int, "type": str}
NUMBER = "(0|[1-9][0-9]{0,8})"
USUAL = re.compile(
    r"\{'word': (?:'([^'\\]*)'|\"([^\"\\]*)\"), "
    rf"'start_idx': {NUMBER}, 'end_idx': {NUMBER}, 'type': '([^'\\]*)'\}}"
)
"""The form in which Python prints such a dict: 14 times as fast as parsing it as a literal."""

MAX_UNUSUAL = 10_000
"""Characters of a cell in another form: Python's parser can be brought down by long nested input."""


def read_entity(cell: str, sentence: str) -> Entity:
    """The entity that a cell describes.

    Raises:
        BadCell: the cell is no such dict, its type is unknown, or its offsets do not cut its word out of the
            sentence.
    """
    word, start, last, type_ = _parse(cell)
    if not word or word.isspace():
        raise BadCell("broken-entity", "the word is empty")
    if type_ not in ENTITY_TYPES:
        raise BadCell("unknown-type", unknown("type", type_, ENTITY_TYPES))
    if start < 0 or last >= len(sentence):
        raise _misplaced("offset-outside", "offsets lie outside the sentence", word, start, last, sentence)
    if sentence[start : last + 1] != word:
        raise _misplaced("word-mismatch", "word does not match the sentence", word, start, last, sentence)
    return Entity(word, start, last + 1, type_)


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
    values = _parse_unusual(cell)
    for key, kind in KEYS.items():
        if key not in values:
            raise BadCell("broken-entity", f"{key} is missing in {quoted(cell)}")
        if type(values[key]) is not kind:  # isinstance would let True pass as a number
            wanted = "text" if kind is str else "a whole number"
            raise BadCell("broken-entity", f"{key} must be {wanted}, not {quoted(repr(values[key]))}")
    return values["word"], values["start_idx"], values["end_idx"], values["type"]


def _parse_unusual(cell: str) -> dict[str, Any]:
    if len(cell) > MAX_UNUSUAL:
        raise BadCell("broken-entity", f"longer than {MAX_UNUSUAL:,} characters: {quoted(cell)}")
    for parse in (json.loads, _parse_literal):
        try:
            values = parse(cell)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(values, dict):
            return values
    raise BadCell("broken-entity", f"neither a Python dict nor JSON: {quoted(cell)}")


def _parse_literal(cell: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about backslashes; whether the word is right, the sentence tells
        return ast.literal_eval(cell)


def _misplaced(code: str, message: str, word: str, start: int, last: int, sentence: str) -> BadCell:
    cut = sentence[max(start, 0) : max(last + 1, 0)]
    hint = f"start_idx {start}, end_idx {last} -> {quoted(cut)}   word says {quoted(word)}"
    return BadCell(
        code, message, f"{hint} ({_right_place(word, start, last, sentence)})", marked(sentence, start, last + 1)
    )


def _right_place(word: str, start: int, last: int, sentence: str) -> str:
    """Where the word really stands, with inclusive ends, and how the offsets may have come about."""
    if start >= 0 and sentence[start:last] == word:
        return f"end_idx is inclusive: {start}-{last - 1}"
    place = _nearest(word, start, sentence)
    if place is None:
        return "it is nowhere in the sentence"
    right = f"{place}-{place + len(word) - 1}"
    if start >= 0 and _cut_utf16(sentence, start, last + 1) == word:
        return f"counted in UTF-16 units? in characters at {right}"
    return f"at {right}?"


def _nearest(word: str, start: int, sentence: str) -> int | None:
    start = max(start, 0)
    places = (sentence.rfind(word, 0, start + len(word)), sentence.find(word, start))
    return min((place for place in places if place >= 0), key=lambda place: abs(place - start), default=None)


def _cut_utf16(sentence: str, start: int, end: int) -> str:
    units = sentence.encode("utf-16-le", "surrogatepass")
    return units[2 * start : 2 * end].decode("utf-16-le", "replace")
