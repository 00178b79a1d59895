"""How subject and object are marked in a sentence: the text that a model reads, with both entities' places in it.

Pure text, no tokenizer: the places are known because the text is built here, so nobody ever searches for an
entity's word, which stands more than once in one sentence out of ten. `tokens` turns places into token ranges.

The same sentence about somebody else: an example whose entities go by other words.

A model that remembers names is right about rows that it cannot read. With other words in their place it has to read
them: in training that keeps it from remembering, on labelled rows it tells how much it remembers.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from relex.domain.examples import Entity, Example
from relex.errors import InvalidInput
from relex.labels import ENTITY_TYPES

Range = tuple[int, int]
"""First position and the position after the last."""


class Scheme(StrEnum):
    """What stands round the entities (Zhou & Chen 2021, "An Improved Baseline for Sentence-level RE", table 1)."""

    NONE = "none"
    """The bare sentence."""
    ENTITY_MARKER = "entity_marker"
    """`[E1]subject[/E1]`, `[E2]object[/E2]`."""
    TYPED_ENTITY_MARKER = "typed_entity_marker"
    """`[E1-ORG]subject[/E1-ORG]`, `[E2-PER]object[/E2-PER]`."""
    TYPED_PUNCT_MARKER = "typed_punct_marker"
    """`@ * ORG * subject @`, `# ^ PER ^ object #`: ordinary vocabulary only."""


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A sentence with its markers. Ranges count characters of `text`."""

    text: str
    subject: Range
    """The subject's own words."""
    object: Range
    """The object's own words."""
    subject_block: Range
    """The subject with its markers: begins with the first marker, or with the subject where there is none."""
    object_block: Range
    """The object with its markers."""
    pair: str | None
    """The type sentence, read after the text, or None."""
    controls: tuple[Range, ...]
    """The places that are control tokens, in their order: markers, where they are not ordinary text, and masks."""
    pair_controls: int
    """Number of masks in the type sentence."""


@cache
def marker_tokens(scheme: Scheme) -> tuple[str, ...]:
    """The special tokens that a tokenizer must learn for this scheme, each as ONE token; none for most schemes."""
    if scheme is Scheme.ENTITY_MARKER:
        names = ["E1", "E2"]
    elif scheme is Scheme.TYPED_ENTITY_MARKER:
        names = [f"{role}-{kind}" for role in ("E1", "E2") for kind in ENTITY_TYPES]
    else:
        names = []
    return tuple(token for name in names for token in (f"[{name}]", f"[/{name}]"))


def mark(example: Example, scheme: Scheme, type_sentence: bool, mask: str | None = None) -> MarkedText:
    """Write the example's sentence as `scheme` wants it, with the places of both entities.

    `mask` is a tokenizer's mask token: it takes the place of both entities' words, wherever they are written.

    Raises:
        InvalidInput: subject and object overlap, so that no marker could tell them apart.
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
        controls += [(blocks[entity][0], words[entity][0]) for entity in words]
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
    """What stands before and after an entity."""
    role = "E1" if is_subject else "E2"
    match scheme:
        case Scheme.NONE:
            return "", ""
        case Scheme.ENTITY_MARKER:
            return f"[{role}]", f"[/{role}]"
        case Scheme.TYPED_ENTITY_MARKER:
            return f"[{role}-{entity.type}]", f"[/{role}-{entity.type}]"
        case Scheme.TYPED_PUNCT_MARKER:
            outer, inner = "@*" if is_subject else "#^"
            return f"{outer} {inner} {entity.type} {inner} ", f" {outer}"


def replace_entities(example: Example, subject: str, object_: str) -> Example:
    """The example with these words for its entities; what else the sentence says of them stays.

    The entities must not overlap.
    """
    words = {example.subject: subject, example.object: object_}
    sentence, copied, moved = "", 0, {}
    for entity in sorted(words, key=lambda entity: entity.start):
        sentence += example.sentence[copied : entity.start]
        word = words[entity]
        moved[entity] = Entity(word, len(sentence), len(sentence) + len(word), entity.type)
        sentence += word
        copied = entity.end
    sentence += example.sentence[copied:]
    return replace(example, sentence=sentence, subject=moved[example.subject], object=moved[example.object])
