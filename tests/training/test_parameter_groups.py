"""Every weight is in one group, with the rate and the decay that the recipe gives it."""

import pytest
from transformers import AlbertConfig, BertConfig, DebertaV2Config, ElectraConfig, ModernBertConfig

from relex.errors import InvalidConfig
from relex.model.classifier import RelationClassifier, RelationConfig
from relex.model.config import ModelConfig
from relex.training.parameter_groups import parameter_groups
from tests.tiny_training import config

SMALL = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
BACKBONES = {
    "bert": BertConfig(**SMALL),
    "electra": ElectraConfig(**SMALL, embedding_size=8),
    "deberta-v2": DebertaV2Config(**SMALL, relative_attention=True, position_buckets=4),
    "modernbert": ModernBertConfig(**SMALL, pad_token_id=0, bos_token_id=1, eos_token_id=2),
}
RATE, HEAD = 2e-4, 1e-3


def classifier(backbone, pooling="attention"):
    relation = ModelConfig(scheme="typed_entity_marker", type_sentence=False, pooling=pooling, max_length=32)
    return RelationClassifier(RelationConfig.make(backbone, relation))


def grouped(model, **settings):
    """The groups, and each weight's group by its name."""
    names = {weight: name for name, weight in model.named_parameters()}
    decayed = [name for name in names.values() if name.endswith("weight") and "orm" not in name]
    train = config(train={"learning_rate": RATE, **settings}).train
    groups = parameter_groups(model, train, decayed)
    found = [(names[weight], group) for group in groups for weight in group["params"]]
    assert sorted(name for name, _ in found) == sorted(names.values())
    return groups, dict(found)


def rates(model, **settings):
    return {name: group["lr"] for name, group in grouped(model, **settings)[1].items()}


def rate_of(part, by_name):
    """The one rate of all weights whose names contain a part."""
    (rate,) = {rate for name, rate in by_name.items() if part in name}
    return rate


@pytest.mark.parametrize("name", BACKBONES)
def test_by_default_the_groups_are_those_of_transformers(name):
    groups, by_name = grouped(classifier(BACKBONES[name]))
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(RATE, 0.01), (RATE, 0.0)]
    assert by_name["classifier.weight"]["weight_decay"] == 0.01
    assert by_name["classifier.bias"]["weight_decay"] == 0.0


@pytest.mark.parametrize("name", BACKBONES)
def test_everything_but_the_backbone_has_the_rate_of_the_head(name):
    by_name = rates(classifier(BACKBONES[name]), head_learning_rate=HEAD)
    head = {"classifier.weight", "classifier.bias", "pooling.score.weight"}
    assert {name for name, rate in by_name.items() if rate == HEAD} == head
    assert set(by_name.values()) == {RATE, HEAD}


@pytest.mark.parametrize("name", BACKBONES)
def test_each_layer_learns_more_slowly_than_the_one_above(name):
    by_name = rates(classifier(BACKBONES[name]), layer_decay=0.5, head_learning_rate=HEAD)
    assert rate_of("classifier.", by_name) == HEAD
    for number, expected in enumerate([RATE / 4, RATE / 2, RATE]):
        layer = "layers" if name == "modernbert" else "layer"
        assert rate_of(f".{layer}.{number}.", by_name) == pytest.approx(expected)
    assert rate_of("embeddings", by_name) == pytest.approx(RATE / 8)


def test_what_is_above_the_layers_learns_like_the_last_one():
    by_name = rates(classifier(BACKBONES["modernbert"]), layer_decay=0.5)
    assert by_name["backbone.final_norm.weight"] == RATE
    assert by_name["classifier.weight"] == RATE


def test_the_first_group_is_the_one_whose_rate_is_reported():
    groups, _ = grouped(classifier(BACKBONES["bert"]), layer_decay=0.5, head_learning_rate=HEAD)
    assert groups[0]["lr"] == RATE
    assert all(group["params"] for group in groups)
    # The head's and each of three layers' and the embeddings' weights, with and without decay.
    assert len(groups) == 10


def test_without_weight_decay_there_is_one_group_for_a_rate():
    groups, _ = grouped(classifier(BACKBONES["bert"]), weight_decay=0.0)
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(RATE, 0.0)]


def test_layers_that_share_their_weights_cannot_have_rates_of_their_own():
    model = classifier(AlbertConfig(**SMALL, embedding_size=8))
    assert set(rates(model).values()) == {RATE}
    with pytest.raises(InvalidConfig, match=r"train\.layer_decay: .*set it to 1\.0"):
        rates(model, layer_decay=0.9)
