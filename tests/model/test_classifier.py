"""The network as a whole, on tiny BERT, RoBERTa and ELECTRA backbones with random weights."""

import time

import pytest
import torch
from transformers import AutoModel, BertModel, ElectraConfig, RobertaConfig

from relex.encoding.batches import collate
from relex.encoding.markers import Scheme, marker_tokens
from relex.errors import BadCheckpoint, InvalidConfig, ModelNotFound, ServiceUnreachable
from relex.labels import RELATIONS
from relex.model.classifier import RelationClassifier, RelationConfig
from relex.model.config import ModelConfig, Pooling
from relex.model.tokenizer import backbone_tokenizer

SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
ROBERTA = RobertaConfig(**SIZES, type_vocab_size=1, max_position_embeddings=170)
ELECTRA = ElectraConfig(**SIZES, embedding_size=12)


def logits(model, encoded, pad_token_id=0):
    with torch.inference_mode():
        return model(**collate(encoded, pad_token_id).tensors()).logits


@pytest.mark.parametrize("pooling", Pooling)
@pytest.mark.parametrize("scheme", Scheme)
def test_every_scheme_and_pooling_gives_thirty_finite_logits(tokenizer, build, examples, scheme, pooling):
    model = build(scheme=scheme, pooling=pooling)
    scores = logits(model, model.encoder(tokenizer).encode(examples))
    assert scores.shape == (len(examples), len(RELATIONS))
    assert scores.isfinite().all()
    assert scores.std(0).min() > 0  # the logits see the example


@pytest.mark.parametrize("backbone", [None, ROBERTA, ELECTRA], ids=["bert", "roberta", "electra"])
def test_padding_does_not_change_logits(tokenizer, build, examples, backbone):
    model = build(**({"backbone": backbone} if backbone else {}), type_sentence=True)
    encoded = model.encoder(tokenizer).encode(examples)
    together = logits(model, encoded)
    alone = torch.cat([logits(model, [example]) for example in encoded])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_the_second_segment_reaches_only_backbones_that_have_one(tokenizer, build, examples):
    for backbone, differs in ((None, True), (ROBERTA, False)):
        model = build(**({"backbone": backbone} if backbone else {}), type_sentence=True)
        batch = collate(model.encoder(tokenizer).encode(examples), 0).tensors()
        with torch.inference_mode():
            seen = model(**batch).logits
            unseen = model(**batch | {"token_type_ids": torch.zeros_like(batch["token_type_ids"])}).logits
        assert torch.equal(seen, unseen) is not differs


def test_cls_pooling_takes_one_vector_and_the_others_two(build):
    model = build(pooling=Pooling.CLS)
    assert model.classifier.in_features == SIZES["hidden_size"]
    assert build(pooling=Pooling.MEAN).classifier.in_features == 2 * SIZES["hidden_size"]


def test_each_marker_gets_one_id_and_an_embedding_of_its_own(tokenizer, build):
    before = len(tokenizer)
    model = build()
    markers = list(marker_tokens(Scheme.TYPED_ENTITY_MARKER))
    ids = tokenizer.convert_tokens_to_ids(markers)
    assert sorted(ids) == list(range(before, before + 24))
    table = model.backbone.get_input_embeddings().weight
    assert table.shape[0] == len(tokenizer) == model.config.backbone["vocab_size"]
    assert len({tuple(row) for row in table[ids].tolist()}) == 24


@pytest.fixture
def pretrained(tmp_path, tokenizer, backbone_config):
    """A local folder with a backbone's weights and tokenizer."""
    torch.manual_seed(1)
    backbone_config.vocab_size = len(tokenizer)
    backbone = BertModel(backbone_config)
    backbone.embeddings.word_embeddings.weight.data.mul_(10).add_(0.7)  # unlike any fresh weight
    backbone.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def looks_alike(markers, words):
    """Whether the markers' embeddings have the mean and the spread of the words'."""
    return abs((markers.mean() - words.mean()).item()) < 0.1 and 0.7 < (markers.std() / words.std()).item() < 1.4


def test_a_backbones_weights_arrive_unchanged(pretrained):
    tokenizer = backbone_tokenizer(str(pretrained))
    words = len(tokenizer)
    model = RelationClassifier.from_backbone(str(pretrained), ModelConfig(), tokenizer)
    ours, theirs = model.backbone.state_dict(), AutoModel.from_pretrained(pretrained).state_dict()
    name = "embeddings.word_embeddings.weight"
    assert ours[name].shape[0] == words + 24 == len(tokenizer)
    assert looks_alike(ours[name][words:], ours[name][:words])
    assert torch.equal(ours.pop(name)[:words], theirs.pop(name))
    assert len(ours) > 30
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items())
    # [CLS]'s pooler of BERT is left out: it would be computed and not used.
    assert {key.partition(".")[0] for key in theirs.keys() - ours.keys()} == {"pooler"}


def test_a_second_start_from_the_same_backbone_teaches_no_marker_twice(pretrained):
    tokenizer = backbone_tokenizer(str(pretrained))
    RelationClassifier.from_backbone(str(pretrained), ModelConfig(), tokenizer)
    size = len(tokenizer)
    model = RelationClassifier.from_backbone(str(pretrained), ModelConfig(), tokenizer)
    table = model.backbone.get_input_embeddings().weight
    assert len(tokenizer) == size == len(table)
    assert looks_alike(table[-24:], table[:-24])


def test_too_few_positions_are_reported_before_training(build):
    with pytest.raises(InvalidConfig, match="max_length 163: the backbone has only 162 positions"):
        build(max_length=163)


def test_positions_before_robertas_first_token_are_not_counted(build):
    """Its positions start after the padding's id, which is 0 here; the last token would have none."""
    build(ROBERTA, max_length=169)
    with pytest.raises(InvalidConfig, match="max_length 170: the backbone has only 169 positions"):
        build(ROBERTA, max_length=170)


def test_an_unreachable_hub_is_reported_quickly_in_one_line(tmp_path, monkeypatch):
    # At this address nobody listens.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    began = time.monotonic()
    with pytest.raises(ServiceUnreachable, match="backbone klue/roberta-nowhere: the model hub does not") as caught:
        backbone_tokenizer("klue/roberta-nowhere")
    assert time.monotonic() - began < 10
    assert "\n" not in str(caught.value)
    assert "Connection refused" in str(caught.value.__cause__)


def test_a_mistyped_folder_is_no_network_error():
    with pytest.raises(ModelNotFound, match=r"backbone \./no/such/folder: neither a folder here nor"):
        backbone_tokenizer("./no/such/folder")


def test_a_folder_without_a_backbone_is_reported(tmp_path, tokenizer):
    with pytest.raises(InvalidConfig, match="backbone "):
        RelationClassifier.from_backbone(str(tmp_path), ModelConfig(), tokenizer)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("backbone", None, "backbone, relation or id2label is missing"),
        ("backbone", {"model_type": "no-such-model"}, "backbone: "),
        ("id2label", {0: "no_relation", 2: "x"}, "without a gap"),
        ("relation", {"pooling": "average"}, "pooling: "),
    ],
)
def test_a_config_that_is_not_ours_is_refused(backbone_config, field, value, message):
    config = RelationConfig.make(backbone_config, ModelConfig())
    setattr(config, field, value)
    with pytest.raises(BadCheckpoint, match=rf"config\.json: .*{message}"):
        config.parsed()
