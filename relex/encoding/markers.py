"""Marking of subject and object: the text that a model reads, with the character ranges of both entities.

This module works on text only, without a tokenizer. The ranges are known because the text is built here, so that no
entity's word has to be searched, which occurs more than once in one sentence out of ten. `tokens` turns them into token
ranges.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from relex.domain.examples import Entity, Example
from relex.errors import InvalidInput
from relex.labels import ENTITY_TYPES

Range = tuple[int, int]
"""First position and the position after the last one."""


class Scheme(StrEnum):
    """A way to mark entities (Zhou & Chen 2021, "An Improved Baseline for Sentence-level RE", table 1)."""

    NONE = "none"
    """The sentence without markers."""
    ENTITY_MARKER = "entity_marker"
    """`[E1] subject[/E1]`, `[E2] object[/E2]`."""
    TYPED_ENTITY_MARKER = "typed_entity_marker"
    """`[E1-ORG] subject[/E1-ORG]`, `[E2-PER] object[/E2-PER]`."""
    TYPED_PUNCT_MARKER = "typed_punct_marker"
    """`@ * ORG * subject @`, `# ^ PER ^ object #`: only ordinary tokens."""


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A sentence with its markers; ranges count characters of `text`."""

    text: str
    subject: Range
    """The subject's own words."""
    object: Range
    """The object's own words."""
    subject_block: Range
    """The subject with its markers, if the scheme has any."""
    object_block: Range
    """The object with its markers, if the scheme has any."""
    pair: str | None
    """The type sentence that is read after the text, or None."""
    controls: tuple[Range, ...]
    """Ranges of control tokens in text order: markers that are special tokens, and masks."""
    pair_controls: int
    """Number of masks in the type sentence."""


@cache
def marker_tokens(scheme: Scheme) -> tuple[str, ...]:
    """Return the special tokens that a tokenizer must have for this scheme, each as one token."""
    if scheme is Scheme.ENTITY_MARKER:
        names = ["E1", "E2"]
    elif scheme is Scheme.TYPED_ENTITY_MARKER:
        names = [f"{role}-{kind}" for role in ("E1", "E2") for kind in ENTITY_TYPES]
    else:
        names = []
    return tuple(token for name in names for token in (f"[{name}]", f"[/{name}]"))


def is_closing(marker: str) -> bool:
    """Return whether a marker token stands after an entity."""
    return marker.startswith("[/")


def mark(example: Example, scheme: Scheme, type_sentence: bool, mask: str | None = None) -> MarkedText:
    """Mark the entities of an example, and return the text with the ranges of both.

    `mask` is a tokenizer's mask token that replaces the words of both entities, also in the type sentence.

    Raises:
        InvalidInput: subject and object overlap, so that markers cannot separate them.
    """
    subject, object_ = example.subject, example.object
    if subject.start < object_.end and object_.start < subject.end:
        raise InvalidInput(f"subject {subject.text!r} and object {object_.text!r} overlap; mark separate words")
    text, copied = "", 0
    words, blocks = {}, {}
    for entity in sorted((subject, object_), key=lambda entity: entity.start):
        before, after = _around(entity, scheme, is_subject=entity is subject)
        text += example.sentence[copied : entity.start]
        start = len(text)
        text += before + (mask or example.sentence[entity.start : entity.end]) + after
        blocks[entity] = (start, len(text))
        words[entity] = (start + len(before), len(text) - len(after))
        copied = entity.end
    text += example.sentence[copied:]
    pair = (
        f"이 문장에서 {mask or object_.text}는 {mask or subject.text}의 {object_.type}이다." if type_sentence else None
    )
    controls = [words[entity] for entity in words] if mask else []
    if marker_tokens(scheme):
        controls += [(blocks[entity][0], words[entity][0] - 1) for entity in words]
        controls += [(words[entity][1], blocks[entity][1]) for entity in words]
    return MarkedText(
        text=text,
        subject=words[subject],
        object=words[object_],
        subject_block=blocks[subject],
        object_block=blocks[object_],
        pair=pair,
        controls=tuple(sorted(controls)),
        pair_controls=2 if mask and pair else 0,
    )


def _around(entity: Entity, scheme: Scheme, *, is_subject: bool) -> tuple[str, str]:
    """Return the markers before and after an entity.

    The space after an opening marker lets vocabularies with a sign for the start of a word (SentencePiece, byte-level
    BPE) split the entity as in plain text. There is none before a closing marker, so that a particle continues a word.
    """
    role = "E1" if is_subject else "E2"
    match scheme:
        case Scheme.NONE:
            return "", ""
        case Scheme.ENTITY_MARKER:
            return f"[{role}] ", f"[/{role}]"
        case Scheme.TYPED_ENTITY_MARKER:
            return f"[{role}-{entity.type}] ", f"[/{role}-{entity.type}]"
        case Scheme.TYPED_PUNCT_MARKER:
            outer, inner = "@*" if is_subject else "#^"
            return f"{outer} {inner} {entity.type} {inner} ", f" {outer}"
