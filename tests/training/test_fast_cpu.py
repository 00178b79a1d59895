"""Faster operations on a CPU compute what transformers' own do, and leave the model as it was."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from transformers import BertConfig, DebertaV2Config, ElectraConfig, ModernBertConfig, RobertaConfig, XLMRobertaConfig

from relex.model.classifier import RelationClassifier, RelationConfig
from relex.model.config import ModelConfig
from relex.training import fitting
from relex.training.fast_cpu import fast_training
from relex.training.trainer import train
from tests.tiny_training import config, tiny_data

SMALL = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
QUIET = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
BERT_LIKE = {
    "bert": BertConfig(**SMALL, **QUIET),
    "roberta": RobertaConfig(**SMALL, **QUIET),
    "xlm-roberta": XLMRobertaConfig(**SMALL, **QUIET),
    "electra": ElectraConfig(**SMALL, **QUIET, embedding_size=8),
}
OTHERS = {
    "deberta-v2": DebertaV2Config(**SMALL, **QUIET),
    "modernbert": ModernBertConfig(
        **SMALL, global_attn_every_n_layers=2, pad_token_id=0, cls_token_id=1, sep_token_id=2
    ),
    "decoder": BertConfig(**SMALL, **QUIET, is_decoder=True),
}
EXAMPLES, LENGTH = 5, 14


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def classifier(backbone, dropout=0.0):
    torch.manual_seed(5)
    relation = ModelConfig(
        scheme="typed_entity_marker", type_sentence=False, pooling="mean", max_length=32, dropout=dropout
    )
    return RelationClassifier(RelationConfig.make(backbone, relation)).train()


def batch(lengths):
    lengths = torch.tensor(lengths)
    places = torch.arange(LENGTH).expand(EXAMPLES, LENGTH)
    return {
        "input_ids": torch.randint(3, 40, (EXAMPLES, LENGTH), generator=torch.Generator().manual_seed(1)),
        "attention_mask": (places < lengths[:, None]).long(),
        "token_type_ids": torch.zeros(EXAMPLES, LENGTH, dtype=torch.long),
        "subject_mask": places == 2,
        "object_mask": places == 4,
        "subject_marker": torch.ones(EXAMPLES, dtype=torch.long),
        "object_marker": torch.full((EXAMPLES,), 3),
    }


PADDED, FULL = batch([14, 9, 6, 14, 5]), batch([14] * EXAMPLES)


def logits_and_gradients(model, inputs, bf16=False):
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
        logits = model(**inputs).logits
    logits.float().square().sum().backward()
    return {"logits": logits} | {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


def replaced(model):
    return [type(module).__name__ for module in model.modules() if "forward" in vars(module)]


@pytest.mark.parametrize("inputs", [PADDED, FULL], ids=["padded", "full"])
@pytest.mark.parametrize("name", [*BERT_LIKE, *OTHERS])
def test_logits_and_gradients_are_those_of_transformers(name, inputs):
    model = classifier((BERT_LIKE | OTHERS)[name])
    expected = logits_and_gradients(model, inputs)
    with fast_training(model, bf16=True):
        found = logits_and_gradients(model, inputs)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", BERT_LIKE)
def test_under_autocast_they_are_within_bf16_rounding_of_float32(name):
    """A residual stream in bf16 rounds more often than transformers' own in float32."""
    model = classifier(BERT_LIKE[name])
    exact = logits_and_gradients(model, PADDED)
    plain = logits_and_gradients(model, PADDED, bf16=True)
    with fast_training(model, bf16=True):
        fast = logits_and_gradients(model, PADDED, bf16=True)

    def distance(found):
        return sum((found[key].float() - value).norm() for key, value in exact.items())

    assert 0 < distance(fast) < 4 * distance(plain)


@pytest.mark.parametrize("name", BERT_LIKE)
def test_every_layer_of_a_known_encoder_is_replaced_until_the_end(name):
    model = classifier(BERT_LIKE[name])
    with fast_training(model, bf16=True):
        assert sum("SelfAttention" in kind for kind in replaced(model)) == SMALL["num_hidden_layers"]
        with torch.autocast("cpu", torch.bfloat16):
            assert model.backbone(PADDED["input_ids"]).last_hidden_state.dtype == torch.bfloat16
    assert replaced(model) == []
    assert not model.backbone.embeddings._forward_hooks


@pytest.mark.parametrize("name", OTHERS)
def test_of_other_encoders_only_the_dropout_is_replaced(name):
    model = classifier(OTHERS[name])
    with fast_training(model, bf16=True):
        assert set(replaced(model)) == {"Dropout"}
    assert replaced(model) == []


def test_in_float32_nothing_is_replaced():
    model = classifier(BERT_LIKE["bert"])
    with fast_training(model, bf16=False):
        assert replaced(model) == []


def test_an_error_also_restores_the_model():
    model = classifier(BERT_LIKE["bert"])
    with pytest.raises(KeyError), fast_training(model, bf16=True):
        raise KeyError
    assert replaced(model) == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_the_share_and_the_mean(dtype):
    model = classifier(BERT_LIKE["bert"], dropout=0.3)
    inputs = torch.ones(700, 301, dtype=dtype, requires_grad=True)
    with fast_training(model, bf16=True):
        torch.manual_seed(8)
        found = model.dropout(inputs)
        torch.manual_seed(8)
        again = model.dropout(inputs)
        other = model.dropout(inputs)
        model.eval()
        assert model.dropout(inputs) is inputs
    assert found.dtype == dtype
    assert found.unique().tolist() == pytest.approx([0, 1 / 0.7], rel=5e-3)
    assert (found == 0).float().mean().item() == pytest.approx(0.3, abs=5e-3)
    assert found.float().mean().item() == pytest.approx(1, abs=5e-3)
    assert torch.equal(found, again)
    assert not torch.equal(found, other)
    found.sum().backward()
    assert torch.equal(inputs.grad, found)


def test_dropout_draws_every_element_by_itself():
    """Neighbours, which come from the same random number, drop out independently."""
    dropout = nn.ModuleDict({"dropout": nn.Dropout(0.5)})
    model = classifier(BERT_LIKE["bert"])
    model.dropout = dropout["dropout"]
    with fast_training(model, bf16=True):
        kept = model.dropout(torch.ones(40_000, 8)).gt(0).float()
    correlation = torch.corrcoef(kept.T) - torch.eye(8)
    assert correlation.abs().max() < 0.03
    assert (kept.mean(0) - 0.5).abs().max() < 0.02


@pytest.mark.parametrize("share", [0.0, 1e-9])
def test_a_dropout_of_nothing_passes_everything(share):
    model = classifier(BERT_LIKE["bert"])
    model.dropout.p = share
    inputs = torch.ones(3)
    with fast_training(model, bf16=True):
        assert torch.equal(model.dropout(inputs), inputs)


def test_a_dropout_of_nearly_everything_stays_finite():
    model = classifier(BERT_LIKE["bert"])
    model.dropout.p = 0.9999
    with fast_training(model, bf16=True):
        assert set(model.dropout(torch.ones(10_000)).tolist()) == {0, 256}


def test_losses_are_those_of_transformers_operations_within_rounding(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "valid.csv"):
        (tmp_path / name).write_text("whatever", "utf-8")
    recipe = config(dropout=0.0, train={"precision": "bf16", "learning_rate": 1e-3})
    data = tiny_data()
    build = fitting.build_classifier

    def without_dropout(*arguments):
        model, tokenizer = build(*arguments)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return model, tokenizer

    def losses(folder):
        reports = []
        train(recipe, *data, tmp_path / folder, reports.append)
        return [epoch["loss"] for epoch in reports[-1]["history"]]

    monkeypatch.setattr(fitting, "build_classifier", without_dropout)
    fast = losses("fast")
    monkeypatch.setattr(fitting, "fast_training", lambda *_, **__: nullcontext())
    plain = losses("plain")
    assert fast != plain
    assert fast == pytest.approx(plain, rel=1e-2)
