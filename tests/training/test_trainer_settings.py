"""What a recipe says reaches transformers, the model and the batches."""

from dataclasses import replace
from typing import get_args

import pytest
import torch
from transformers import SchedulerType, get_scheduler

from relex.encoding.batches import collate
from relex.errors import InvalidConfig
from relex.labels import NO_RELATION
from relex.training.callbacks import CheckpointCallback
from relex.training.data import Collator
from relex.training.epoch_examples import EpochExamples, TrainingData
from relex.training.fitting import _arguments, to_training_data
from relex.training.model_factory import build_classifier
from relex.training.recipe.sections import Scheduler
from relex.training.trainer import train
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


def test_the_recipe_sets_the_rates_of_the_optimizer(data, tmp_path, monkeypatch):
    """Warm-up and decay scale the rate of every group."""
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "valid.csv"):
        (tmp_path / name).touch()
    steps = []

    def remember(_arguments, _state, _control, **parts):
        steps.append(sorted({group["lr"] for group in parts["optimizer"].param_groups}))

    monkeypatch.setattr(CheckpointCallback, "on_step_begin", staticmethod(remember), raising=False)
    rates = {"learning_rate": 1e-3, "head_learning_rate": 4e-3, "layer_decay": 0.5, "epochs": 1}
    train(config(train=rates), *data, tmp_path / "model", lambda _: None)
    assert steps[0] == pytest.approx([5e-4, 1e-3, 4e-3])
    assert steps[-1] == pytest.approx([rate / len(steps) for rate in steps[0]])


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
    *items, filler = EpochExamples(TrainingData(encoded, [NO_RELATION] * 8, tokenizer.pad_token_id), config().train)
    collator = Collator(tokenizer.pad_token_id, max_length=48)
    mixed, empty = collator([*items[:3], filler, filler]), collator([filler, filler])
    assert (len(mixed["input_ids"]), len(mixed["gold"]), mixed["count"]) == (3, 3, 3)
    assert (len(empty["input_ids"]), len(empty["gold"]), empty["count"]) == (1, 1, 0)


def test_a_tokenizer_without_a_mask_token_is_reported_in_words(data):
    recipe = config(train={"entity_mask_prob": 0.5})
    model, tokenizer = build_classifier(recipe, data[0])
    tokenizer.mask_token = None
    with pytest.raises(InvalidConfig, match="has no mask token"):
        to_training_data(recipe, data[0], [NO_RELATION] * len(data[0]), model.encoder(tokenizer), tokenizer)
