"""Markers, against what the schemes look like on paper."""

import pytest

from relex.domain.examples import Entity, Example
from relex.encoding.markers import Scheme, mark, marker_tokens
from relex.errors import InvalidInput
from relex.labels import ENTITY_TYPES

SENTENCE = "비틀즈와 비틀즈가 조지를 좋아했다."


def entity(start, end, kind):
    return Entity(SENTENCE[start:end], start, end, kind)


GROUP = entity(5, 8, "ORG")  # the second 비틀즈
GEORGE = entity(10, 12, "PER")


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (Scheme.NONE, "비틀즈와 비틀즈가 조지를 좋아했다."),
        (Scheme.ENTITY_MARKER, "비틀즈와 [E1] 비틀즈[/E1]가 [E2] 조지[/E2]를 좋아했다."),
        (Scheme.TYPED_ENTITY_MARKER, "비틀즈와 [E1-ORG] 비틀즈[/E1-ORG]가 [E2-PER] 조지[/E2-PER]를 좋아했다."),
        (Scheme.TYPED_PUNCT_MARKER, "비틀즈와 @ * ORG * 비틀즈 @가 # ^ PER ^ 조지 #를 좋아했다."),
    ],
)
def test_the_text_of_each_scheme(scheme, expected):
    assert mark(Example(0, "a", SENTENCE, GROUP, GEORGE), scheme, type_sentence=False).text == expected


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize(("subject", "object_"), [(GROUP, GEORGE), (GEORGE, GROUP)])
def test_ranges_hold_the_entities_whichever_comes_first(scheme, subject, object_):
    marked = mark(Example(0, "a", SENTENCE, subject, object_), scheme, type_sentence=False)
    assert marked.text[slice(*marked.subject)] == subject.text
    assert marked.text[slice(*marked.object)] == object_.text
    for inner, block in [(marked.subject, marked.subject_block), (marked.object, marked.object_block)]:
        assert block[0] <= inner[0] < inner[1] <= block[1]
    first, second = sorted([marked.subject_block, marked.object_block])
    unmarked = marked.text[: first[0]] + GROUP.text + marked.text[first[1] : second[0]] + GEORGE.text
    assert unmarked + marked.text[second[1] :] == SENTENCE


def test_the_first_marker_begins_the_block():
    marked = mark(Example(0, "a", SENTENCE, GEORGE, GROUP), Scheme.TYPED_ENTITY_MARKER, type_sentence=False)
    assert marked.text[slice(*marked.subject_block)] == "[E1-PER] 조지[/E1-PER]"
    assert marked.text[slice(*marked.object_block)] == "[E2-ORG] 비틀즈[/E2-ORG]"


def test_neighbours_may_touch():
    touching = Example(0, "a", SENTENCE, entity(5, 7, "ORG"), entity(7, 8, "PER"))
    assert mark(touching, Scheme.ENTITY_MARKER, type_sentence=False).text.startswith(
        "비틀즈와 [E1] 비틀[/E1][E2] 즈[/E2]가"
    )


@pytest.mark.parametrize("other", [entity(5, 8, "PER"), entity(7, 9, "PER"), entity(4, 12, "PER"), entity(6, 7, "PER")])
def test_overlapping_entities_are_refused(other):
    with pytest.raises(InvalidInput, match=r"^subject '비틀즈' and object .* overlap"):
        mark(Example(0, "row-9", SENTENCE, GROUP, other), Scheme.ENTITY_MARKER, type_sentence=False)


def test_the_type_sentence_says_the_objects_type():
    example = Example(0, "a", SENTENCE, GROUP, GEORGE)
    assert mark(example, Scheme.NONE, type_sentence=True).pair == "이 문장에서 조지는 비틀즈의 PER이다."
    assert mark(example, Scheme.NONE, type_sentence=False).pair is None


def test_marker_tokens_cover_every_type_and_role():
    tokens = marker_tokens(Scheme.TYPED_ENTITY_MARKER)
    assert len(set(tokens)) == len(tokens) == 2 * 2 * len(ENTITY_TYPES)
    assert marker_tokens(Scheme.ENTITY_MARKER) == ("[E1]", "[/E1]", "[E2]", "[/E2]")
    assert marker_tokens(Scheme.NONE) == marker_tokens(Scheme.TYPED_PUNCT_MARKER) == ()


@pytest.mark.parametrize("kind", ENTITY_TYPES)
def test_what_mark_writes_is_what_a_tokenizer_trained(kind):
    example = Example(0, "a", SENTENCE, entity(5, 8, kind), entity(10, 12, kind))
    marked = mark(example, Scheme.TYPED_ENTITY_MARKER, type_sentence=False)
    written = {marked.text[start:end] for start, end in marked.controls}
    assert len(written) == 4
    assert written <= set(marker_tokens(Scheme.TYPED_ENTITY_MARKER))
