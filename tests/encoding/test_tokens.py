"""Tokens, spans and windows, read back through the tokenizer."""

import random

import pytest

from relex.encoding.markers import Scheme
from relex.encoding.tokens import Encoder
from relex.encoding.windows import Overflow
from relex.errors import InvalidInput


@pytest.fixture
def encoder(tokenizer, build):
    """Make an encoder whose tokenizer knows the scheme's markers."""

    def make(scheme=Scheme.TYPED_ENTITY_MARKER, type_sentence=False, max_length=160, on_overflow=Overflow.TRUNCATE):
        build(scheme=scheme)
        return Encoder(tokenizer, scheme, type_sentence, max_length, on_overflow)

    return make


def words(tokenizer, encoded, tokens=slice(None)):
    return tokenizer.convert_ids_to_tokens(list(encoded.input_ids[tokens]))


def test_an_encoded_example_in_full(tokenizer, encoder, make_example):
    # The second 비틀즈 is the subject: its offsets say so, its word does not.
    example = make_example(3, "비틀즈와 비틀즈가 조지를 하다.", (5, 8), (10, 12))
    (encoded,) = encoder(type_sentence=True).encode([example])
    assert " ".join(words(tokenizer, encoded)) == (
        "[CLS] 비 ##틀 ##즈 ##와 [E1-PER] 비 ##틀 ##즈 [/E1-PER] 가 [E2-ORG] 조 ##지 [/E2-ORG] 를 하 ##다 . [SEP] "
        "이 문 ##장 ##에 ##서 조 ##지 ##는 비 ##틀 ##즈 ##의 O ##R ##G ##이 ##다 . [SEP]"
    )
    assert (encoded.subject, encoded.object) == ((6, 9), (12, 14))
    assert (encoded.subject_marker, encoded.object_marker) == (5, 11)
    assert encoded.token_type_ids == (0,) * 20 + (1,) * 19
    assert (encoded.row_no, encoded.truncated) == (3, False)


@pytest.mark.parametrize("scheme", Scheme)
def test_spans_hold_the_entities_own_tokens_in_every_scheme(tokenizer, encoder, examples, scheme):
    for example, encoded in zip(examples, encoder(scheme).encode(examples), strict=True):
        assert words(tokenizer, encoded, slice(*encoded.object)) == ["조", "##지"]
        assert encoded.row_no == example.row_no
        expected = {Scheme.NONE: "비", Scheme.TYPED_PUNCT_MARKER: "@"}.get(scheme)
        marker = words(tokenizer, encoded)[encoded.subject_marker]
        assert marker == expected or (expected is None and marker.startswith("[E1"))
        # Without markers the particle sticks to the word, but not to its span.
        assert words(tokenizer, encoded, slice(*encoded.subject)) == ["비", "##틀", "##즈"]


def test_without_markers_the_first_token_stands_for_the_marker(encoder, examples):
    for encoded in encoder(Scheme.NONE).encode(examples):
        assert (encoded.subject_marker, encoded.object_marker) == (encoded.subject[0], encoded.object[0])


def random_example(make_example, rng, row_no):
    """A long sentence with two entities anywhere in it, either one first."""
    count = rng.randrange(60, 200)
    pieces = [rng.choice(["가", "나다", "라마바", "사"]) for _ in range(count)]
    places = rng.sample(range(count), 2)
    texts = [rng.choice(["비", "비틀", "비틀즈"]), rng.choice(["조", "조지"])]
    for place, text in zip(places, texts, strict=True):
        pieces[place] = text
    starts = [len(" ".join(pieces[:place])) + (place > 0) for place in places]
    ranges = [(start, start + len(text)) for start, text in zip(starts, texts, strict=True)]
    return make_example(row_no, " ".join(pieces), *ranges)


def is_subsequence(short, long):
    rest = iter(long)
    return all(token in rest for token in short)


@pytest.mark.parametrize("type_sentence", [False, True])
@pytest.mark.parametrize("scheme", [Scheme.NONE, Scheme.TYPED_ENTITY_MARKER, Scheme.TYPED_PUNCT_MARKER])
def test_a_cut_window_keeps_both_entities_wherever_they_stand(tokenizer, encoder, make_example, scheme, type_sentence):
    rng = random.Random(11)
    examples = [random_example(make_example, rng, row_no) for row_no in range(150)]
    whole = encoder(scheme, type_sentence, 4000).encode(examples)
    cut = encoder(scheme, type_sentence, 48).encode(examples)
    apart = 0
    for example, before, after in zip(examples, whole, cut, strict=True):
        assert not before.truncated
        assert after.truncated
        assert len(after.input_ids) == 48
        assert is_subsequence(after.input_ids, before.input_ids)
        for role, entity in (("subject", example.subject), ("object", example.object)):
            old, new = getattr(before, role), getattr(after, role)
            assert before.input_ids[slice(*old)] == after.input_ids[slice(*new)]
            assert "".join(words(tokenizer, after, slice(*new))).replace("##", "") == entity.text
            marker = getattr(after, f"{role}_marker")
            lead = getattr(before, f"{role}_marker")
            assert after.input_ids[marker : new[1]] == before.input_ids[lead : old[1]]
        ends = words(tokenizer, after)
        assert (ends[0], ends[-1], ends.count("[SEP]")) == ("[CLS]", "[SEP]", 1 + type_sentence)
        assert sum(after.token_type_ids) == sum(before.token_type_ids)
        apart += abs(before.subject_marker - before.object_marker) > 48
    assert 20 < apart < 150  # both kinds of cut were seen


def test_entities_that_fit_together_stay_in_one_piece_in_the_middle(tokenizer, encoder, make_example):
    sentence = "가 " * 100 + "비" + " 나" * 37 + " 조" + " 마" * 100
    (encoded,) = encoder(Scheme.NONE, max_length=47).encode([make_example(0, sentence, (200, 201), (276, 277))])
    # 45 places for words: the 39 from 비 to 조, and three on each side.
    assert words(tokenizer, encoded)[1:-1] == [*"가가가비", *"나" * 37, *"조마마마"]


def test_room_that_one_side_cannot_use_goes_to_the_other(encoder, make_example):
    sentence = "가 비 나 다 라 조" + " 마" * 100
    (encoded,) = encoder(Scheme.NONE, max_length=47).encode([make_example(0, sentence, (2, 3), (10, 11))])
    assert (encoded.subject, encoded.object, len(encoded.input_ids)) == ((2, 3), (6, 7), 47)


def test_entities_far_from_each_other_keep_a_piece_each_and_lose_the_middle(tokenizer, encoder, make_example):
    sentence = "가 " * 50 + "비" + " 나" * 100 + " 조" + " 다" * 50
    (encoded,) = encoder(Scheme.NONE, max_length=24).encode([make_example(0, sentence, (100, 101), (302, 303))])
    assert (
        " ".join(words(tokenizer, encoded)) == "[CLS] " + "가 " * 5 + "비 " + "나 " * 10 + "조 " + "다 " * 5 + "[SEP]"
    )


def test_entities_far_from_each_other_are_refused_where_that_was_asked_for(encoder, make_example):
    strict = encoder(Scheme.NONE, max_length=24, on_overflow=Overflow.REJECT)
    sentence = "가 " * 50 + "비" + " 나" * 20 + " 조" + " 다" * 50
    near = make_example(0, sentence, (100, 101), (142, 143))
    assert strict.encode([near]) == encoder(Scheme.NONE, max_length=24).encode([near])
    far = [make_example(row_no, f"비 {sentence}", (0, 1), (144, 145)) for row_no in (1, 2)]
    with pytest.raises(InvalidInput) as refusal:
        strict.encode([near, *far])
    assert str(refusal.value) == (
        "id id-1: its entities and all between them take 73 tokens, the window has room for 22; leave the row out, or "
        "use a model with a larger max_length or one that was trained with input.on_overflow: truncate "
        "(1 more of 3 rows cannot be encoded)"
    )


def test_what_a_tokenizer_leaves_nothing_of_is_refused_by_id(encoder, make_example):
    with pytest.raises(InvalidInput, match="id id-6: an entity has no character"):
        encoder(Scheme.NONE).encode([make_example(6, "\u200b\u200d", (0, 1), (1, 2))])


def test_an_entity_longer_than_the_window_is_refused_by_id(encoder, make_example):
    sentence = "비" * 60 + " 조"
    with pytest.raises(InvalidInput, match=r"id id-4: its entities take 65 tokens, the window has room for 30"):
        encoder(max_length=32).encode([make_example(4, sentence, (0, 60), (61, 62))])


def test_an_entity_that_the_tokenizer_drops_is_refused_by_id(encoder, make_example):
    with pytest.raises(InvalidInput, match="id id-5: an entity has no character"):
        encoder().encode([make_example(5, "비틀즈 \u200b", (0, 3), (4, 5))])


def test_neighbours_and_the_tokenizers_own_padding_change_nothing(tokenizer, encoder, examples):
    tokenizer.backend_tokenizer.enable_padding(length=100)
    tokenizer.backend_tokenizer.enable_truncation(10)
    made = encoder()
    together = made.encode(examples)
    assert together == [encoded for example in examples for encoded in made.encode([example])]
    assert len({len(encoded.input_ids) for encoded in together}) == len(examples)


def test_nothing_to_encode(encoder):
    assert encoder().encode([]) == []
