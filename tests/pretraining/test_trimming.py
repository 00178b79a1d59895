"""Trimming a vocabulary: which pieces stay, that nothing else changes, and what is said about it."""

import json
import sys
from pathlib import Path
from shutil import copytree

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModel, BertConfig, BertModel, PreTrainedTokenizerFast

from pretraining.__main__ import main
from pretraining.backbone import write_backbone
from pretraining.comparison import compare_tokens
from pretraining.trimming import trim
from relex.encoding.markers import Scheme, marker_tokens
from relex.errors import InvalidConfig
from relex.files.reading import read_labeled_examples
from relex.model.classifier import RelationClassifier
from relex.model.config import ModelConfig
from relex.model.tokenizer import backbone_tokenizer
from tests.pretraining.folders import FOREIGN, sentences, write_corpus, write_unigram

TASK, HELD_OUT = Path("data/train_data.csv"), Path("data/valid_data.csv")
TABLE = "embeddings.word_embeddings.weight"


def trimmed(source, folder, lines, min_count=2):
    corpus = [write_corpus(folder / "corpus.txt.xz", lines)]
    trim(str(source), corpus, [TASK], [HELD_OUT], folder / "out", min_count)
    return folder / "out"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    write_unigram(folder)
    return folder


@pytest.fixture(scope="module")
def out(source, tmp_path_factory):
    """The encoder, trimmed to the task's sentences and a corpus of two words."""
    return trimmed(source, tmp_path_factory.mktemp("trimmed"), ["q1 q1 w2", "骅"])


def test_pieces_that_no_text_uses_are_gone_and_nothing_else_changes(source, out):
    before, after = backbone_tokenizer(str(source)), backbone_tokenizer(str(out))
    assert len(before) - len(after) > len(FOREIGN)
    changes = compare_tokens(before, after, sentences("train"))
    assert (changes.changed, changes.unknown) == (0, 0)
    assert changes.tokens > 4_000


def test_held_out_sentences_change_only_where_they_use_a_removed_piece(source, out):
    before, after = backbone_tokenizer(str(source)), backbone_tokenizer(str(out))
    assert compare_tokens(before, after, sentences("valid")).unknown == 0
    kept = after.get_vocab().keys()
    same = [text for text in sentences("valid") if kept >= set(before.tokenize(text))]
    changes = compare_tokens(before, after, same)
    assert (changes.changed, changes.unknown) == (0, 0)
    assert len(same) > 10
    other = [text for text in sentences("valid") if text not in same]
    assert 0 < compare_tokens(before, after, other).changed < 5 * len(other)


def test_a_piece_stays_for_its_uses_in_the_corpus_or_as_a_character(source, out):
    pieces = backbone_tokenizer(str(out)).get_vocab()
    assert "▁q1" in pieces  # twice in the corpus
    assert "▁w2" not in pieces  # once
    assert "骅" in pieces
    assert set("가나다12AB.") <= pieces.keys()
    assert {"<s>", "<pad>", "</s>", "<unk>", "<mask>"} <= pieces.keys()


def test_each_piece_keeps_its_embedding_and_texts_their_hidden_states(source, out):
    before, after = backbone_tokenizer(str(source)), backbone_tokenizer(str(out))
    old, new = (load_file(folder / "model.safetensors")[TABLE] for folder in (source, out))
    ids = before.get_vocab()
    for piece, number in after.get_vocab().items():
        assert torch.equal(new[number], old[ids[piece]])
    assert len(new) == len(after)
    hidden = [
        AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()(**words(sentences()[0], return_tensors="pt"))
        for folder, words in ((source, before), (out, after))
    ]
    assert torch.equal(hidden[0].last_hidden_state, hidden[1].last_hidden_state)


def test_special_tokens_frame_texts_and_pairs_as_before(source, out):
    before, after = backbone_tokenizer(str(source)), backbone_tokenizer(str(out))
    old, new = (words.backend_tokenizer.encode("가나", "다라").tokens for words in (before, after))
    assert new == old
    config = json.loads((out / "config.json").read_text())
    assert config["pad_token_id"] == after.pad_token_id == after.get_vocab()["<pad>"]
    assert config["vocab_size"] == len(after)


def test_markers_find_their_words_in_a_trimmed_encoder(out):
    tokenizer = backbone_tokenizer(str(out))
    model = RelationClassifier.from_backbone(str(out), ModelConfig(scheme=Scheme.TYPED_ENTITY_MARKER), tokenizer)
    for example, encoded in zip(
        examples := read_labeled_examples(HELD_OUT), model.encoder(tokenizer).encode(examples), strict=True
    ):
        read = tokenizer.decode(encoded.input_ids[slice(*encoded.subject)])
        assert read.replace(" ", "") == example.subject.text.replace(" ", "")


def test_added_tokens_behind_the_vocabulary_stay(source, tmp_path):
    """An encoder that was trained with the markers has them as added tokens only."""
    tokenizer = backbone_tokenizer(str(source))
    model = RelationClassifier.from_backbone(str(source), ModelConfig(), tokenizer)
    write_backbone(tmp_path / "marked", model.backbone, tokenizer)
    after = backbone_tokenizer(str(trimmed(tmp_path / "marked", tmp_path, ["q1 q1"])))
    markers = marker_tokens(Scheme.TYPED_ENTITY_MARKER)
    tokens = after.convert_ids_to_tokens(after("가 [E1-PER] 나[/E1-PER]")["input_ids"])
    assert {"[E1-PER]", "[/E1-PER]"} < set(tokens)
    old = load_file(tmp_path / "marked" / "model.safetensors")[TABLE]
    new = load_file(tmp_path / "out" / "model.safetensors")[TABLE]
    assert torch.equal(new[after.convert_tokens_to_ids(markers)], old[tokenizer.convert_tokens_to_ids(markers)])
    assert len(new) == len(after) < len(tokenizer)


def test_a_text_is_counted_whole(source, tmp_path):
    """Some folders switch truncation on."""
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=50)
    copytree(source, tmp_path / "cutting")
    tokenizer.save(str(tmp_path / "cutting" / "tokenizer.json"))
    out = trimmed(tmp_path / "cutting", tmp_path, ["q1 q1 q1 q1 q1 q1 w2 w2"])
    assert "▁w2" in backbone_tokenizer(str(out)).get_vocab()


def test_what_changed_is_logged(source, tmp_path, caplog):
    with caplog.at_level("INFO"):
        trimmed(source, tmp_path, ["q1 q1 w2"])
    assert "pieces, " in caplog.text
    assert "new unknown tokens" in caplog.text


def test_a_wordpiece_vocabulary_is_trimmed_too(tmp_path, tokenizer):
    """Whole words that no text uses go; `가` and `##가` are both characters."""
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    words = ["태어났다", "##났다", "안쓰임"]
    content["model"]["vocab"] |= {word: len(tokenizer) + number for number, word in enumerate(words)}
    backend = type(tokenizer.backend_tokenizer).from_str(json.dumps(content))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **names)
    tokenizer.save_pretrained(tmp_path / "source")
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path / "source")
    out = trimmed(tmp_path / "source", tmp_path, ["태어났다 태어났다"])
    after = backbone_tokenizer(str(out))
    assert {"태어났다", "가", "##가", "##[", "[SEP]"} - after.get_vocab().keys() == {"##["}
    assert "안쓰임" not in after.get_vocab()
    lines = ["태어났다 가나다", "비틀즈와 조지"]
    assert compare_tokens(tokenizer, after, lines).changed == 0
    assert after("가", "나").input_ids == [
        after.get_vocab()[token] for token in ("[CLS]", "가", "[SEP]", "나", "[SEP]")
    ]


def test_a_vocabulary_of_merges_is_refused(tmp_path):
    source = tmp_path / "source"
    write_unigram(source)
    content = json.loads((source / "tokenizer.json").read_text())
    content["model"] = {"type": "BPE", "vocab": {"<pad>": 0, "a": 1}, "merges": []}
    content |= {"added_tokens": [], "post_processor": None, "normalizer": None}
    (source / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(InvalidConfig, match="a vocabulary of type BPE cannot be trimmed"):
        trimmed(source, tmp_path, ["a"])


def test_the_command_trims(source, tmp_path, monkeypatch):
    corpus = write_corpus(tmp_path / "corpus.txt.xz", ["q1"])
    words = ["pretraining", "trim", "--from", str(source), "--corpus", corpus, "--task", str(TASK)]
    monkeypatch.setattr(sys, "argv", [*words, "--out", str(tmp_path / "out"), "--min-count", "1"])
    main()
    assert "▁q1" in backbone_tokenizer(str(tmp_path / "out")).get_vocab()
