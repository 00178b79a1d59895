"""ModelConfig goes through JSON unchanged and refuses what it does not know."""

import json

import pytest
from pydantic import ValidationError

from relex.encoding.markers import Scheme
from relex.errors import BadCheckpoint
from relex.labels import RELATIONS
from relex.model.config import ModelConfig, Pooling


def test_a_config_comes_back_from_json_as_it_was():
    config = ModelConfig(
        labels=("a", "no_relation"),
        scheme=Scheme.ENTITY_MARKER,
        type_sentence=True,
        pooling=Pooling.MAX,
        max_length=200,
        dropout=0.25,
    )
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_defaults():
    config = ModelConfig()
    assert config.labels == RELATIONS
    assert (config.scheme, config.pooling, config.max_length) == ("typed_entity_marker", "mean", 160)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["a", "b"]}, "labels: .*must hold no_relation"),
        ({"labels": ["no_relation", "a", "a"]}, "labels: .*twice"),
        ({"pooling": "average"}, "pooling: "),
        ({"max_len": 100}, "max_len: Extra"),
        ({"max_length": 4}, "max_length: "),
        ({"dropout": 1.0, "scheme": "E1"}, "scheme: .*dropout: "),
    ],
)
def test_every_error_of_a_stored_config_is_named(change, message):
    with pytest.raises(BadCheckpoint, match=rf"config\.json: {message}"):
        ModelConfig.from_dict(ModelConfig().to_dict() | change)


def test_a_config_does_not_change():
    with pytest.raises(ValidationError):
        ModelConfig().max_length = 20
