"""Pooling, against the formulas written with loops."""

import math

import pytest
import torch

from relex.model.config import Pooling
from relex.model.pooling import AttentionPooling, pooling_module

BATCH, LENGTH, HIDDEN = 5, 11, 8


@pytest.fixture
def drawn():
    """Random vectors, and entities of one to four tokens: (hidden, masks, markers, ranges)."""
    generator = torch.Generator().manual_seed(3)
    hidden = torch.randn(BATCH, LENGTH, HIDDEN, generator=generator)
    ranges = [[(1 + index, 2 + index), (6, 7 + index % 4)] for index in range(BATCH)]
    masks = torch.zeros(BATCH, 2, LENGTH, dtype=torch.bool)
    for index, pair in enumerate(ranges):
        for role, (start, end) in enumerate(pair):
            masks[index, role, start:end] = True
    markers = torch.tensor([[start - 1 for start, _ in pair] for pair in ranges])
    return hidden, masks, markers, ranges


def mean(_, tokens):
    return [sum(column) / len(tokens) for column in zip(*tokens, strict=True)]


def largest(_, tokens):
    return [max(column) for column in zip(*tokens, strict=True)]


def attention(module, tokens):
    weight = module.score.weight[0].tolist()
    powers = [math.exp(sum(a * b for a, b in zip(weight, token, strict=True))) for token in tokens]
    shares = [power / sum(powers) for power in powers]
    return [sum(a * b for a, b in zip(shares, column, strict=True)) for column in zip(*tokens, strict=True)]


@pytest.mark.parametrize(
    ("pooling", "plain"), [(Pooling.MEAN, mean), (Pooling.MAX, largest), (Pooling.ATTENTION, attention)]
)
def test_pooling_of_the_entities_tokens(drawn, pooling, plain):
    hidden, masks, markers, ranges = drawn
    torch.manual_seed(5)
    module = pooling_module(pooling, HIDDEN)
    pooled = module(hidden, masks, markers)
    assert pooled.shape == (BATCH, module.vectors * HIDDEN)
    for index, pair in enumerate(ranges):
        expected = [number for span in pair for number in plain(module, hidden[index, slice(*span)].tolist())]
        torch.testing.assert_close(pooled[index], torch.tensor(expected))


def test_first_marker_and_cls_pick_one_token(drawn):
    hidden, masks, markers, ranges = drawn
    first = pooling_module(Pooling.FIRST_MARKER, HIDDEN)(hidden, masks, markers)
    for index, ((subject, _), (object_, _)) in enumerate(ranges):
        assert torch.equal(first[index], torch.cat([hidden[index, subject - 1], hidden[index, object_ - 1]]))
    cls = pooling_module(Pooling.CLS, HIDDEN)
    assert torch.equal(cls(hidden, masks, markers), hidden[:, 0])
    assert cls.vectors == 1


def test_attention_weights_can_be_read(drawn):
    hidden, masks, _, _ = drawn
    torch.manual_seed(5)
    weights = AttentionPooling(HIDDEN).weights(hidden, masks)
    assert weights.shape == (BATCH, 2, LENGTH)
    torch.testing.assert_close(weights.sum(-1), torch.ones(BATCH, 2))
    assert torch.equal(weights > 0, masks)


@pytest.mark.parametrize("pooling", Pooling)
def test_sixteen_bit_and_its_gradients_stay_finite(drawn, pooling):
    hidden, masks, markers, _ = drawn
    hidden = hidden.to(torch.bfloat16).requires_grad_()
    pooled = pooling_module(pooling, HIDDEN).to(torch.bfloat16)(hidden, masks, markers)
    pooled.float().square().sum().backward()
    assert pooled.dtype == torch.bfloat16
    assert pooled.isfinite().all()
    assert hidden.grad.isfinite().all()
    assert hidden.grad.abs().sum() > 0
