"""Tokenizers made of a SentencePiece model."""

import random

import pytest
import sentencepiece

from relex.errors import InvalidConfig
from relex.model.sentencepiece import sentencepiece_tokenizer
from relex.model.tokenizer import backbone_tokenizer
from tests.hub import Repository
from tests.model import layouts
from tests.model.layouts import NAME


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_sentencepiece_model_cuts_as_sentencepiece_does(tmp_path, kind):
    """On words of another file too, with wide characters, several spaces and characters that it does not know."""
    texts = [*layouts.sentences(), "  두  칸  사이 ", "㈜테스트　전각ＡＢ ﾊﾝ", "a\tb", "𝒳 ☃ 뷁"]
    rng = random.Random(7)
    texts += ["".join(rng.choices("가나다 ,.1a김", k=rng.randrange(1, 40))) for _ in range(200)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(layouts.sentences()),
        model_prefix=str(tmp_path / "spiece"),
        vocab_size=600,
        model_type=kind,
        character_coverage=0.98,
        unk_piece="[UNK]",
        pad_id=3,
        pad_piece="[PAD]",
        control_symbols="[CLS],[SEP]",
        minloglevel=2,
    )
    tokenizer = sentencepiece_tokenizer(tmp_path / "spiece.model")
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spiece.model"))
    assert [tokenizer.encode(text, add_special_tokens=False) for text in texts] == theirs.encode(texts)
    pair = tokenizer.backend_tokenizer.encode("가", "나")
    assert [pair.tokens[0], pair.tokens[-1], pair.tokens.count("[SEP]")] == ["[CLS]", "[SEP]", 2]
    assert [pair.type_ids[0], pair.type_ids[-1]] == [0, 1]


def test_a_damaged_sentencepiece_model_is_reported(hub):
    hub.repositories[NAME] = Repository(layouts.kobert() | {"spiece.model": b"\xff" * 50})
    with pytest.raises(InvalidConfig, match=r"spiece\.model: no SentencePiece model"):
        backbone_tokenizer(NAME)
