"""Every recipe that ships trains, on backbones as small as a test wants and laid out as the real ones are."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, BertConfig, BertTokenizerFast, ElectraConfig, RobertaConfig

from relex.model.checkpoint import load
from relex.training.recipe.config import load_config
from relex.training.recipe.reader import shipped_names
from relex.training.trainer import train
from tests.tiny_training import tiny_data

NAMES = shipped_names()
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
WORDS = [*"가나다라마바사이문장에서는의다@*#^.", "PER", "ORG", "LOC", "DAT"]
KLUE_SPECIALS = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def klue_roberta(size):
    """One segment, and positions that count from the padding's id, which is 1."""
    return RobertaConfig(
        **SMALL,
        vocab_size=size,
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        tokenizer_class="BertTokenizer",
    )


def pretrained_here(size):
    """As `pretraining/` writes it: fewer positions, and padding has id 0."""
    return RobertaConfig(**SMALL, vocab_size=size, max_position_embeddings=161, type_vocab_size=1, pad_token_id=0)


def koelectra(size):
    """Two segments, and embeddings narrower than the layers."""
    return ElectraConfig(**SMALL, vocab_size=size, embedding_size=8, max_position_embeddings=512, type_vocab_size=2)


def kobert(size):
    """A plain BERT."""
    return BertConfig(**SMALL, vocab_size=size, max_position_embeddings=512, type_vocab_size=2)


LAYOUTS = {
    "klue/roberta-base": (klue_roberta, KLUE_SPECIALS),
    "klue/roberta-large": (klue_roberta, KLUE_SPECIALS),
    "pretrained/backbone": (pretrained_here, BERT_SPECIALS),
    "monologg/koelectra-base-v3-discriminator": (koelectra, BERT_SPECIALS),
    "skt/kobert-base-v1": (kobert, BERT_SPECIALS),
}


@pytest.fixture(scope="module", autouse=True)
def _here(tmp_path_factory):
    """One thread, and the files of base.yaml in the current folder."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("current"))
        Path("data").mkdir()
        for name in ("train_data.csv", "valid_data.csv"):
            Path("data", name).touch()
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def backbones(tmp_path_factory):
    """A folder for each backbone that a recipe names."""
    folder = tmp_path_factory.mktemp("hub")
    for name, (layout, specials) in LAYOUTS.items():
        place = folder / name
        place.mkdir(parents=True)
        vocabulary = [*specials, *WORDS, *(f"##{word}" for word in WORDS)]
        (place / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
        BertTokenizerFast(vocab=str(place / "vocab.txt"), do_lower_case=False).save_pretrained(place)
        torch.manual_seed(3)
        AutoModel.from_config(layout(len(vocabulary))).save_pretrained(place)
    return folder


def test_there_is_a_layout_for_every_backbone():
    named = {load_config(name).backbone.name for name in NAMES}
    assert named - {None} == LAYOUTS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_trains(backbones, tmp_path, name):
    asked = load_config(name)
    few_steps = {"train.epochs": "1", "train.learning_rate": "1e-3", "train.precision": "fp32"}
    if asked.backbone.name:
        few_steps["backbone.name"] = str(backbones / asked.backbone.name)
    config = load_config(name, few_steps)
    train_examples, valid = tiny_data()
    report = []
    train(config, train_examples[:48], valid[:16], tmp_path / name, report.append)
    assert report[-1]["step"] == report[-1]["steps"] == -(-48 // asked.train.batch_size)
    relation = json.loads((tmp_path / name / "config.json").read_text())["relation"]
    assert (relation["scheme"], relation["pooling"]) == (asked.input.scheme, asked.pooling)
    loaded = load(tmp_path / name)
    unknown = loaded.encoder.tokenizer.unk_token_id
    assert all(unknown not in item.input_ids for item in loaded.encoder.encode(valid))
