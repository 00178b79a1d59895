"""Every family of encoders, with every kind of vocabulary: trained, saved, scored packed or padded, and checked."""

import unicodedata

import pytest
import torch
from sentencepiece import SentencePieceProcessor
from transformers import AutoModel

from relex.encoding.batches import collate
from relex.files.reading import read_labeled_examples
from relex.inference.scorer import Scorer
from relex.model.checkpoint import load
from relex.model.devices import half_precision
from relex.model.packed.network import can_pack
from relex.model.parity import read_parity
from relex.model.tokenizer import backbone_tokenizer
from relex.registry.parity_check import check_parity
from relex.training.trainer import train
from tests.model import families, layouts
from tests.processes import ROOT
from tests.tiny_training import config

FAMILIES = families.PACKED | families.PADDED
HALF = half_precision(torch.device("cpu"))


@pytest.fixture(scope="module")
def rows():
    return read_labeled_examples(ROOT / "data" / "train_data.csv")[:24]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def reports():
    return []


@pytest.fixture(scope="module")
def backbone(family, tmp_path_factory):
    return families.write(FAMILIES[family](), tmp_path_factory.mktemp("family") / "backbone")


@pytest.fixture(scope="module")
def trained(backbone, rows, reports, tmp_path_factory):
    """A checkpoint of three steps, with pairs, masked entities, rates by layer, and 16 bit where the CPU has it."""
    recipe = config(
        data={name: str(ROOT / "data" / f"{name}_data.csv") for name in ("train", "valid")},
        backbone={"name": backbone, "scratch": None},
        input={"max_length": 160, "type_sentence": True},
        pooling="mean",
        train={"epochs": 1, "entity_mask_prob": 0.25, "layer_decay": 0.9, "precision": "bf16" if HALF else "fp32"},
    )
    folder = tmp_path_factory.mktemp("trained") / "model"
    train(recipe, rows, rows[:12], folder, reports.append)
    return folder


def test_the_tokenizer_knows_the_words_and_their_places(trained, rows):
    encoder = load(trained).encoder
    for example, encoded in zip(rows, encoder.encode(rows), strict=True):
        assert encoder.tokenizer.unk_token_id not in encoded.input_ids
        for role in ("subject", "object"):
            read = encoder.tokenizer.decode(encoded.input_ids[slice(*getattr(encoded, role))])
            assert squeezed(read) == squeezed(getattr(example, role).text)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name.endswith("SentencePiece")])
def test_a_sentencepiece_model_splits_as_its_own_library_does(tmp_path, name):
    backbone = families.write(FAMILIES[name](), tmp_path / "backbone")
    [file] = (tmp_path / "backbone").glob("*.model")
    library = SentencePieceProcessor(model_file=str(file))
    tokenizer = backbone_tokenizer(backbone)
    for text in layouts.sentences()[:40]:
        assert tokenizer.tokenize(text) == library.encode(text, out_type=str)


def squeezed(text):
    return "".join(unicodedata.normalize("NFKC", text).split())


def test_it_trains_from_the_weights_of_the_folder(trained, backbone, reports):
    assert reports[-1]["step"] == reports[-1]["steps"] == 3
    before = dict(AutoModel.from_pretrained(backbone).named_parameters())
    after = dict(load(trained).model.backbone.named_parameters())
    moved = {
        name: (each - before[name]).abs().max() for name, each in after.items() if each.shape == before[name].shape
    }
    assert sum("layer" in name and distance > 0 for name, distance in moved.items()) > 5
    assert max(moved.values()) < 0.1


def test_scores_are_those_of_transformers_own_network(trained, rows, family):
    loaded = load(trained)
    assert can_pack(loaded.model) == (family in families.PACKED)
    predictions = {each.row_no: each for batch in Scorer(trained, "cpu", torch.float32).score(rows) for each in batch}
    with torch.inference_mode():
        for example, encoded in zip(rows, loaded.encoder.encode(rows), strict=True):
            logits = loaded.model(**collate([encoded], loaded.pad_token_id).tensors()).logits
            expected = logits.softmax(-1)[0].tolist()
            assert predictions[example.row_no].probabilities == pytest.approx(expected, abs=1e-6)


def test_parity_is_checked_where_examples_are_packed(trained, rows, family):
    check_parity(trained, rows, "cpu")
    parity = read_parity(trained)
    assert (parity is not None) == (HALF is not None and family in families.PACKED)
    if parity:
        assert parity.examples == len(rows)
        assert parity.largest_difference < 0.05
