"""The WordPiece vocabulary of a training file."""

import pytest

from relex.training.model_factory import SPECIAL, train_wordpiece

WORDS = ["조지 해리슨이", "비틀즈가", "이순신은", "조선의", "무신이다.", "Abbey Road를", "1969년에", "썼다", "音樂"]


@pytest.fixture
def texts():
    return [" ".join(WORDS[(row * step) % len(WORDS)] for step in range(1, 6)) for row in range(60)]


def test_the_same_texts_give_the_same_tokenizer(texts):
    first = train_wordpiece(texts, 120).to_str()
    assert all(train_wordpiece(texts, 120).to_str() == first for _ in range(5))


def test_special_tokens_come_first_and_sizes_hold(texts):
    tokenizer = train_wordpiece(texts, 120)
    assert [tokenizer.id_to_token(number) for number in range(len(SPECIAL))] == SPECIAL
    assert 80 < tokenizer.get_vocab_size() <= 120


def test_text_comes_back_whole_and_as_written(texts):
    tokenizer = train_wordpiece(texts, 400)
    tokens = tokenizer.encode("비틀즈가 Abbey 音").tokens
    assert tokens[0] == "[CLS]"
    assert tokens[-1] == "[SEP]"
    assert "".join(tokens[1:-1]).replace("##", "") == "비틀즈가Abbey音"


def test_frequent_words_are_one_token(texts):
    assert train_wordpiece(texts, 400).encode("비틀즈가").tokens == ["[CLS]", "비틀즈가", "[SEP]"]


def test_a_pair_is_reported_apart(texts):
    encoding = train_wordpiece(texts, 400).encode("조선의", "썼다")
    assert encoding.tokens.count("[SEP]") == 2
    assert encoding.type_ids == [0] * 3 + [1] * (len(encoding.tokens) - 3)


def test_the_stagings_special_tokens_are_gone(texts):
    assert train_wordpiece(texts, 120).get_added_tokens_decoder() == {}
