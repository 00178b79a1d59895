"""Other words for the entities, and nothing else changed."""

import pytest

from relex.domain.examples import Entity, Example
from relex.encoding.markers import Scheme, mark, replace_entities


def example(sentence, subject, object_):
    places = [
        Entity(word, sentence.index(word), sentence.index(word) + len(word), kind) for word, kind in (subject, object_)
    ]
    return Example(3, "id-3", sentence, *places, label="per:spouse", source="wikipedia")


SUBJECT_FIRST = example("김철수는 이영희와 결혼했다.", ("김철수", "PER"), ("이영희", "PER"))
OBJECT_FIRST = example("이영희는 김철수와 결혼했다.", ("김철수", "PER"), ("이영희", "PER"))


@pytest.mark.parametrize("given", [SUBJECT_FIRST, OBJECT_FIRST])
def test_offsets_follow_the_new_words(given):
    found = replace_entities(given, "박씨", "최고운나라")
    for entity in (found.subject, found.object):
        assert found.sentence[entity.start : entity.end] == entity.text
    assert (found.subject.text, found.object.text) == ("박씨", "최고운나라")


def test_all_else_stays():
    found = replace_entities(SUBJECT_FIRST, "박씨", "최고운나라")
    assert found.sentence == "박씨는 최고운나라와 결혼했다."
    assert (found.row_no, found.id, found.label, found.source) == (3, "id-3", "per:spouse", "wikipedia")
    assert (found.subject.type, found.object.type) == ("PER", "PER")
    assert replace_entities(SUBJECT_FIRST, "김철수", "이영희") == SUBJECT_FIRST


def test_the_type_sentence_says_the_new_words():
    hidden = mark(replace_entities(SUBJECT_FIRST, "[MASK]", "[MASK]"), Scheme.TYPED_ENTITY_MARKER, type_sentence=True)
    assert hidden.text == "[E1-PER] [MASK][/E1-PER]는 [E2-PER] [MASK][/E2-PER]와 결혼했다."
    assert hidden.pair == "이 문장에서 [MASK]는 [MASK]의 PER이다."
