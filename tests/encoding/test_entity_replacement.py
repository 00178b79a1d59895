"""Other words for the entities, and nothing else changed."""

from random import Random

import pytest

from relex.domain.examples import Entity, Example
from relex.encoding.entity_words import EntityWords, replace_entities
from relex.encoding.markers import Scheme, mark


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


OTHERS = [
    example("홍길동은 서울에서 태어났다.", ("홍길동", "PER"), ("서울", "LOC")),
    example("박씨는 부산에 산다.", ("박씨", "PER"), ("부산", "LOC")),
    example("영희는 인천에 산다.", ("영희", "PER"), ("인천", "LOC")),
]
WORDS = EntityWords([SUBJECT_FIRST, *OTHERS])


def exchanged(given, words=WORDS, times=100):
    return [words.exchanged(given, Random(seed)) for seed in range(times)]


def test_words_are_exchanged_for_all_others_of_their_type():
    found = exchanged(OTHERS[0])
    assert {each.subject.text for each in found} == {"김철수", "이영희", "박씨", "영희"}
    assert {each.object.text for each in found} == {"부산", "인천"}
    for each in found:
        assert (each.label, each.subject.type, each.object.type) == ("per:spouse", "PER", "LOC")
        assert each.sentence == f"{each.subject.text}은 {each.object.text}에서 태어났다."
        for entity in (each.subject, each.object):
            assert each.sentence[entity.start : entity.end] == entity.text


@pytest.mark.parametrize("given", [SUBJECT_FIRST, OBJECT_FIRST])
def test_no_word_comes_that_the_sentence_contains_or_twice(given):
    found = [(each.subject.text, each.object.text) for each in exchanged(given)]
    # "영희" is a part of "이영희", which the sentence contains.
    others = {("홍길동", "박씨"), ("박씨", "홍길동")}
    # After `MAX_DRAWS` words that the sentence contains, the object's own stays.
    assert others < set(found) <= others | {(subject, "이영희") for subject, _ in others}
    assert sum(each in others for each in found) > 90


def test_without_another_word_an_entity_keeps_its_own():
    assert exchanged(SUBJECT_FIRST, EntityWords([SUBJECT_FIRST]), times=1) == [SUBJECT_FIRST]


def test_the_same_generator_draws_the_same_words():
    assert exchanged(OTHERS[0]) == exchanged(OTHERS[0], EntityWords([*OTHERS[::-1], SUBJECT_FIRST]))


def test_words_may_be_left_out():
    words = EntityWords(OTHERS, without={"홍길동", "박씨"})
    assert {words.draw("PER", Random(seed)) for seed in range(20)} == {"영희"}
