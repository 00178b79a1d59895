"""Packs give what padding gives, for every encoder that may be packed, and the same bits among any neighbours."""

import random

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from relex.encoding.batches import collate
from relex.encoding.packing import collate_packed, pack_best_fit
from relex.inference.scorer import Scorer
from relex.model.checkpoint import load, save
from relex.model.config import Pooling
from relex.model.devices import half_precision
from relex.model.packed import attention
from relex.model.packed.linear import WIDE, GatedFeedForward, PrepackedLinear, prepack
from relex.model.packed.network import PackedClassifier, can_pack

SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
ENCODERS = {
    "bert": BertConfig(**SMALL, max_position_embeddings=162),
    "electra": ElectraConfig(**SMALL, embedding_size=32, max_position_embeddings=162),
    "roberta": RobertaConfig(**SMALL, max_position_embeddings=170, type_vocab_size=1),
    "xlm-roberta": XLMRobertaConfig(**SMALL, max_position_embeddings=170, type_vocab_size=1),
}
# Global, local and local attention, twice; most examples are longer than the window of 4 tokens to each side.
MODERN = ModernBertConfig(**SMALL | {"num_hidden_layers": 6}, local_attention=8, max_position_embeddings=162)
PACKED = ENCODERS | {"modernbert": MODERN}
HALF = half_precision(torch.device("cpu"))
VARIANTS = [*(("bert", pooling) for pooling in Pooling), ("modernbert", Pooling.MEAN)]
DTYPES = [torch.float32, *([HALF] if HALF else [])]


def flat(batches):
    return {prediction.row_no: prediction for batch in batches for prediction in batch}


def plain(folder, examples):
    """Each example by itself through transformers' own attention, in float32."""
    loaded = load(folder)
    with torch.inference_mode():
        for example, encoded in zip(examples, loaded.encoder.encode(examples), strict=True):
            logits = loaded.model(**collate([encoded], loaded.pad_token_id).tensors()).logits
            yield example.row_no, logits.softmax(-1)[0].tolist()


@pytest.mark.parametrize("type_sentence", [False, True])
@pytest.mark.parametrize("kind", PACKED)
def test_a_pack_gives_what_the_plain_network_gives(tmp_path, build, tokenizer, many, kind, type_sentence):
    model = build(PACKED[kind], type_sentence=type_sentence)
    assert can_pack(model)
    save(tmp_path / "model", model, tokenizer, {})
    exact = flat(Scorer(tmp_path / "model", "cpu").score(many))
    half = flat(Scorer(tmp_path / "model", "cpu", HALF or torch.float32).score(many))
    for row_no, probabilities in plain(tmp_path / "model", many):
        assert exact[row_no].probabilities == pytest.approx(probabilities, abs=1e-6)
        assert half[row_no].probabilities == pytest.approx(probabilities, abs=0.02)
        assert (half[row_no].probabilities == exact[row_no].probabilities) == (HALF is None)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_same_bits_among_any_neighbours(tmp_path, build, tokenizer, many, variant, dtype):
    kind, pooling = variant
    save(tmp_path / "model", build(PACKED[kind], pooling=pooling), tokenizer, {})
    scorer = Scorer(tmp_path / "model", "cpu", dtype)
    together = flat(scorer.score(many))
    alone = flat(batch for example in many for batch in scorer.score([example]))
    assert alone == together
    for seed in range(3):
        some = random.Random(seed).sample(many, 25)
        assert flat(scorer.score(some)) == {each.row_no: together[each.row_no] for each in some}


def test_lanes_change_no_bit(tmp_path, build, tokenizer, many):
    save(tmp_path / "model", build(ENCODERS["bert"]), tokenizer, {})
    one = list(Scorer(tmp_path / "model", "cpu").score(many))
    try:
        torch.set_num_threads(3)
        assert list(Scorer(tmp_path / "model", "cpu").score(many)) == one
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("window", [None, 5])
def test_the_call_for_a_gpu_names_the_same_neighbours(monkeypatch, build, tokenizer, many, window):
    """FlashAttention's kernel runs on GPUs only: here a plain restatement of it takes its arguments."""

    def plain_varlen(query, key, value, bounds, bounds_k, longest, longest_k, *, scale, window_size, num_splits):  # noqa: PLR0913, PLR0917 - as torch has it
        assert (bounds.dtype, num_splits) == (torch.int32, attention.SPLITS)
        assert torch.equal(bounds, bounds_k)
        assert longest == longest_k == bounds.diff().max()
        parts = [slice(*pair) for pair in zip(bounds.tolist(), bounds.tolist()[1:], strict=False)]
        place = torch.arange(longest)
        seen = (place - place[:, None]).abs() <= (longest if window_size == (-1, -1) else window_size[0])
        attended = []
        for part in parts:
            tensors = (each[part].transpose(0, 1) for each in (query, key, value))
            mask = seen[: part.stop - part.start, : part.stop - part.start]
            attended.append(scaled_dot_product_attention(*tensors, attn_mask=mask, scale=scale))
        return torch.cat([each.transpose(0, 1) for each in attended])

    monkeypatch.setattr(attention, "varlen_attn", plain_varlen)
    encoded = build().encoder(tokenizer).encode(many)
    torch.manual_seed(4)
    for group in pack_best_fit(encoded, 512):
        pack = collate_packed(group, 512, tokenizer.pad_token_id)
        by_token = [torch.randn(512, 2, 32) for _ in range(3)]
        at_once, by_segment = torch.zeros(2, 512, 2, 32)
        attention._attend_at_once(by_token, at_once, pack, 0.1, window)
        attention._attend_by_segment(by_token, by_segment, pack, 0.1, window)
        torch.testing.assert_close(at_once, by_segment)
        assert not at_once[pack.num_tokens :].any()


def test_an_encoder_that_nobody_looked_at_is_padded(tmp_path, build, tokenizer, many):
    small = {"dim": 64, "hidden_dim": 96, "n_layers": 2, "n_heads": 2}
    model = build(DistilBertConfig(**small, max_position_embeddings=162))
    assert not can_pack(model)
    save(tmp_path / "model", model, tokenizer, {})
    found = flat(Scorer(tmp_path / "model", "cpu").score(many))
    for row_no, probabilities in plain(tmp_path / "model", many):
        assert found[row_no].probabilities == pytest.approx(probabilities, abs=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_prepacked_layer_is_the_layer(dtype, bias):
    torch.manual_seed(1)
    linear = torch.nn.Linear(48, 80, bias=bias).to(dtype)
    inputs = torch.randn(1, 24, 48).to(dtype)
    with torch.inference_mode():
        packed = PrepackedLinear(linear.weight, linear.bias, 24)
        with_gelu = PrepackedLinear(linear.weight, linear.bias, 24, gelu=True)
        close = {"atol": 1e-6, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 0.02, "rtol": 0.02}
        torch.testing.assert_close(packed(inputs), linear(inputs), **close)
        torch.testing.assert_close(packed(inputs[:, :7]), linear(inputs[:, :7]), **close)
        torch.testing.assert_close(with_gelu(inputs), torch.nn.functional.gelu(linear(inputs)), **close)


@pytest.mark.parametrize("width", [96, WIDE])
@pytest.mark.parametrize("kind", ENCODERS)
def test_a_prepacked_layer_of_any_width_is_the_layer(kind, width):
    torch.manual_seed(1)
    config = ENCODERS[kind].from_dict(ENCODERS[kind].to_dict() | {"intermediate_size": width})
    layer = AutoModel.from_config(config).eval().encoder.layer[0]
    inputs, residual = torch.randn(2, 1, 24, 64)
    with torch.inference_mode():
        expected = layer.feed_forward_chunk(inputs), layer.attention.output(inputs, residual)
        prepack(layer, 24)
        found = layer.feed_forward_chunk(inputs), layer.attention.output(inputs, residual)
    assert len(layer.intermediate(inputs)) == (1 if width < WIDE else 2)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_a_prepacked_gated_block_is_the_block(bias):
    torch.manual_seed(1)
    block = AutoModel.from_config(ModernBertConfig(**SMALL, mlp_bias=bias)).eval().layers[:1]
    inputs = torch.randn(1, 24, 64)
    with torch.inference_mode():
        expected = block[0].mlp(inputs)
        prepack(block, 24)
        assert isinstance(block[0].mlp, GatedFeedForward)
        torch.testing.assert_close(block[0].mlp(inputs), expected, atol=1e-6, rtol=1e-5)


def test_rotary_frequencies_stay_in_float32(build):
    model = build(MODERN)
    before = {name: buffer.clone() for name, buffer in model.backbone.named_buffers()}
    PackedClassifier(model, torch.bfloat16, 512)
    after = dict(model.backbone.named_buffers())
    assert any(name.endswith("inv_freq") for name in after)
    for name, buffer in before.items():
        torch.testing.assert_close(after[name], buffer, atol=0, rtol=0)
