"""The tokenizer of a backbone is the one that its folder has, or the training stops."""

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from relex.errors import InvalidConfig
from relex.files.reading import read_labeled_examples
from relex.model.tokenizer import backbone_tokenizer
from relex.training.model_factory import build_classifier
from tests.model import layouts
from tests.pretraining.folders import sentences, unigram, write_unigram
from tests.processes import ROOT
from tests.tiny_training import config

WORDS = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}


@pytest.fixture
def folder(tmp_path):
    """An encoder of model_type bert with a Unigram vocabulary, and nothing but tokenizer.json for it."""
    write_unigram(tmp_path / "backbone")
    return tmp_path / "backbone"


@pytest.mark.parametrize("settings", [{}, {"do_lower_case": True}, {"tokenizer_class": "BertTokenizer"}], ids=str)
def test_a_tokenizer_json_is_loaded_as_it_is(folder, settings):
    """transformers makes a WordPiece of it, by the model's type or by the name of the class: all words unknown."""
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer, original = backbone_tokenizer(str(folder)), unigram()
    for text in sentences():
        assert tokenizer(text)["input_ids"] == original.encode(text).ids
    assert tokenizer.special_tokens_map.items() >= WORDS.items()


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "electra", "deberta-v2", "modernbert"])
@pytest.mark.parametrize("named", [{}, {"tokenizer_class": "BertTokenizer"}, {"do_lower_case": False}], ids=str)
def test_a_vocab_txt_is_berts_whatever_the_encoder(tmp_path, kind, named):
    """transformers looks for the usual files of the encoder's type, and opens a tokenizer without any word."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    (tmp_path / "vocab.txt").write_text(layouts.vocabulary(), "utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(named))
    tokenizer = backbone_tokenizer(str(tmp_path))
    assert tokenizer.tokenize("노벨 평화") == ["노", "##벨", "평", "##화"]
    assert tokenizer.convert_ids_to_tokens(tokenizer("노벨")["input_ids"]) == ["[CLS]", "노", "##벨", "[SEP]"]
    assert (tokenizer.pad_token, tokenizer.mask_token, tokenizer.unk_token) == ("[PAD]", "[MASK]", "[UNK]")


@pytest.mark.parametrize("named", ["BertJapaneseTokenizer", "PhobertTokenizer"])
def test_a_vocab_txt_of_another_tokenizer_is_not_taken_for_berts(tmp_path, named):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "tokenizer_class": named}))
    (tmp_path / "vocab.txt").write_text(layouts.vocabulary(), "utf-8")
    with pytest.raises(InvalidConfig, match=r"choose another backbone|choose a backbone that has one"):
        backbone_tokenizer(str(tmp_path))


def test_special_tokens_are_those_that_the_folder_names(folder):
    (folder / "special_tokens_map.json").write_text(json.dumps({"cls_token": "</s>", "mask_token": "<pad>"}))
    named = {"mask_token": {"content": "<mask>", "lstrip": True}, "unk_token": "<gone>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    tokenizer = backbone_tokenizer(str(folder))
    assert (tokenizer.cls_token, tokenizer.mask_token, tokenizer.pad_token) == ("</s>", "<mask>", "<pad>")
    assert tokenizer.unk_token is None


@pytest.mark.parametrize("content", ["", "{}", '{"model": {"type": "Unigram"}}'])
def test_a_damaged_tokenizer_is_reported_in_one_line(folder, content):
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(InvalidConfig, match="choose another backbone") as caught:
        backbone_tokenizer(str(folder))
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_padding_is_reported(folder):
    content = (folder / "tokenizer.json").read_text().replace("<pad>", "<fill>")
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(InvalidConfig, match=r"no padding token; name it in tokenizer_config\.json"):
        backbone_tokenizer(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": "<fill>"}))
    assert backbone_tokenizer(str(folder)).pad_token == "<fill>"


def test_a_folder_without_any_tokenizer_is_reported(folder):
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InvalidConfig, match="no vocabulary; copy the whole folder"):
        backbone_tokenizer(str(folder))


def foreign(folder):
    """An encoder that knows Latin letters only."""
    letters = "abcdefghijklmnopqrstuvwxyz()[].,0123456789"
    vocab = {token: number for number, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters])}
    vocab |= {f"##{letter}": len(vocab) + number for number, letter in enumerate(letters)}
    backend = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.save(str(folder / "tokenizer.json"))
    return folder


def test_a_vocabulary_that_does_not_know_the_training_rows_is_refused(folder):
    examples = read_labeled_examples(ROOT / "data" / "train_data.csv")
    build_classifier(config(backbone={"name": str(folder), "scratch": None}), examples)
    recipe = config(backbone={"name": str(foreign(folder)), "scratch": None})
    with pytest.raises(InvalidConfig, match=r"\d\d % of the tokens of the training rows are unknown \(\[UNK\]\)"):
        build_classifier(recipe, examples)
