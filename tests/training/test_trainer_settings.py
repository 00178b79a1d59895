"""What a recipe says reaches transformers, the model and the batches."""

from dataclasses import replace
from typing import get_args

import pytest
import torch
from transformers import SchedulerType, get_scheduler

from relex.encoding.batches import collate
from relex.errors import InvalidConfig
from relex.labels import NO_RELATION
from relex.training.data import Collator, TrainingData
from relex.training.fitting import _arguments, to_training_data
from relex.training.model_factory import build_classifier
from relex.training.recipe.sections import Scheduler
from tests.tiny_training import config, tiny_data


@pytest.fixture(scope="module")
def data():
    return tiny_data()


@pytest.mark.parametrize("name", get_args(Scheduler))
def test_every_scheduler_is_known_to_transformers_and_needs_no_more(name):
    weight = torch.nn.Parameter(torch.zeros(1))
    scheduler = get_scheduler(
        SchedulerType(name), torch.optim.AdamW([weight]), num_warmup_steps=2, num_training_steps=9
    )
    assert len(scheduler.get_last_lr()) == 1


def test_the_recipe_reaches_transformers(tmp_path):
    settings = {
        "epochs": 4,
        "batch_size": 6,
        "gradient_accumulation": 3,
        "learning_rate": 0.001,
        "scheduler": "cosine",
        "warmup_ratio": 0.1,
        "weight_decay": 0.2,
        "max_grad_norm": 0.5,
        "seed": 9,
    }
    arguments = _arguments(config(train=settings), tmp_path, torch.device("cpu"))
    assert (arguments.num_train_epochs, arguments.per_device_train_batch_size) == (4, 6)
    assert (arguments.gradient_accumulation_steps, arguments.learning_rate) == (3, 0.001)
    assert (arguments.lr_scheduler_type, arguments.get_warmup_steps(200)) == ("cosine", 20)
    assert (arguments.weight_decay, arguments.max_grad_norm, arguments.seed) == (0.2, 0.5, 9)


@pytest.mark.parametrize(("precision", "bf16"), [("fp32", False), ("bf16", True)])
def test_the_recipe_chooses_the_precision(tmp_path, precision, bf16):
    assert _arguments(config(train={"precision": precision}), tmp_path, torch.device("cpu")).bf16 is bf16


def test_the_recipe_reaches_the_model(data):
    recipe = config(
        input={"scheme": "entity_marker", "type_sentence": True, "max_length": 40, "on_overflow": "reject"},
        pooling="attention",
        dropout=0.3,
    )
    model, tokenizer = build_classifier(recipe, data[0])
    expected = {
        "scheme": "entity_marker",
        "type_sentence": True,
        "max_length": 40,
        "on_overflow": "reject",
        "pooling": "attention",
        "dropout": 0.3,
    }
    assert model.relation.to_dict().items() >= expected.items()
    shape = model.backbone.config
    assert (shape.hidden_size, shape.num_hidden_layers, shape.num_attention_heads) == (16, 1, 2)
    assert shape.intermediate_size == 32
    longest = model.encoder(tokenizer).encode([replace(data[0][0], sentence=data[0][0].sentence + " 가" * 60)])[0]
    assert len(longest.input_ids) == 40
    logits = model.eval()(**collate([longest], tokenizer.pad_token_id).tensors()).logits
    assert logits.shape == (1, 30)


def test_lengths_are_rounded_up_and_the_padding_is_not_seen(data):
    model, tokenizer = build_classifier(config(), data[0])
    encoded = model.encoder(tokenizer).encode(data[0][:8])
    items = [{"encoded": item, "gold": 3, "counts": True} for item in encoded]
    plain = collate(encoded, tokenizer.pad_token_id).tensors()
    length = plain["input_ids"].shape[1]
    assert length % 8
    rounded = Collator(tokenizer.pad_token_id, max_length=48)(items)
    assert rounded.pop("gold").tolist() == [3] * 8
    assert rounded.pop("count") == 8
    assert rounded["input_ids"].shape[1] == length + -length % 8
    assert (rounded["input_ids"][:, length:] == tokenizer.pad_token_id).all()
    model.eval()
    torch.testing.assert_close(model(**rounded).logits, model(**plain).logits)
    # A backbone may have no positions beyond the window.
    assert Collator(tokenizer.pad_token_id, max_length=length)(items)["input_ids"].shape[1] == length


def test_fillers_are_left_out_unless_there_is_nothing_else(data):
    model, tokenizer = build_classifier(config(), data[0])
    encoded = model.encoder(tokenizer).encode(data[0][:8])
    *items, filler = TrainingData(encoded, [NO_RELATION] * 8, tokenizer.pad_token_id).items()
    collator = Collator(tokenizer.pad_token_id, max_length=48)
    mixed, empty = collator([*items[:3], filler, filler]), collator([filler, filler])
    assert (len(mixed["input_ids"]), len(mixed["gold"]), mixed["count"]) == (3, 3, 3)
    assert (len(empty["input_ids"]), len(empty["gold"]), empty["count"]) == (1, 1, 0)


GOLD = [example.label for example in tiny_data()[0]]


def hidden_ids(tokenizer, items):
    """Which items show the mask token, and how often each."""
    return [list(item["encoded"].input_ids).count(tokenizer.mask_token_id) for item in items]


def test_hidden_forms_show_no_entity_and_keep_the_label(data):
    recipe = config(input={"type_sentence": True}, train={"entity_mask_prob": 0.5, "epochs": 1})
    model, tokenizer = build_classifier(recipe, data[0])
    material = to_training_data(recipe, data[0], GOLD, model.encoder(tokenizer), tokenizer)
    items, count = material.items(), len(data[0])
    assert hidden_ids(tokenizer, items[: count + 1]) == [0] * (count + 1)
    assert hidden_ids(tokenizer, items[count + 1 :]) == [4] * count  # once in the sentence, once in the type sentence
    assert [item["gold"] for item in items[count + 1 :]] == [item["gold"] for item in items[:count]]


def test_without_hiding_nothing_is_encoded_twice(data):
    recipe = config()
    model, tokenizer = build_classifier(recipe, data[0])
    assert not to_training_data(recipe, data[0], GOLD, model.encoder(tokenizer), tokenizer).hidden


def test_a_tokenizer_without_a_mask_token_is_reported_in_words(data):
    recipe = config(train={"entity_mask_prob": 0.5})
    model, tokenizer = build_classifier(recipe, data[0])
    tokenizer.mask_token = None
    with pytest.raises(InvalidConfig, match="has no mask token"):
        to_training_data(recipe, data[0], GOLD, model.encoder(tokenizer), tokenizer)
