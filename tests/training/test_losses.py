"""The losses against torch's cross entropy and against a slow restatement of the paper."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from relex.labels import RELATIONS
from relex.training.losses import FocalLoss, RDropLoss, loss_function
from relex.training.recipe.sections import LossSettings


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(5)
    logits = 3 * torch.randn(40, 30, generator=generator)
    return logits, torch.randint(30, (40,), generator=generator)


def restated(logits, gold, gamma, alpha, smoothing):
    """Row by row, label by label, in Python floats."""
    total = 0.0
    for row, label in zip(logits.tolist(), gold.tolist(), strict=True):
        norm = math.log(sum(math.exp(value) for value in row))
        smoothed = 0.0
        for index, value in enumerate(row):
            target = smoothing / len(row) + (1 - smoothing if index == label else 0)
            smoothed -= target * (value - norm)
        weight = alpha[label] if isinstance(alpha, list) else alpha
        total += weight * (1 - math.exp(row[label] - norm)) ** gamma * smoothed
    return total / len(gold)


@pytest.mark.parametrize("smoothing", [0.0, 0.09])
@pytest.mark.parametrize("alpha", [1.0, 0.25, [0.1 + 0.05 * index for index in range(30)]])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_is_the_papers(batch, gamma, alpha, smoothing):
    logits, gold = batch
    computed = FocalLoss(gamma, alpha, smoothing)(logits, gold)
    assert computed.item() == pytest.approx(restated(logits, gold, gamma, alpha, smoothing), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_gamma_and_alpha_it_is_torchs_cross_entropy(batch, smoothing):
    logits, gold = batch
    logits.requires_grad_()
    ours = torch.autograd.grad(FocalLoss(0.0, 1.0, smoothing)(logits, gold), logits)[0]
    theirs = torch.autograd.grad(cross_entropy(logits, gold, label_smoothing=smoothing), logits)[0]
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        FocalLoss(0.0, 1.0, smoothing)(logits, gold), cross_entropy(logits, gold, label_smoothing=smoothing)
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_certainty_gives_finite_gradients(gamma):
    logits = torch.tensor([[200.0, 0.0], [-200.0, 0.0], [0.0, 0.0]], requires_grad=True)
    loss = FocalLoss(gamma, 1.0, 0.1)(logits, torch.tensor([0, 0, 0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_half_precision_logits_are_summed_in_float32(batch):
    logits, gold = batch
    assert FocalLoss(2.0)(logits.bfloat16(), gold).dtype == torch.float32


def test_the_recipe_chooses_the_loss(batch):
    logits, gold = batch
    plain = loss_function(LossSettings(name="cross_entropy", gamma=2.0, alpha=0.25, label_smoothing=0.1), RELATIONS)
    torch.testing.assert_close(plain(logits, gold), cross_entropy(logits, gold, label_smoothing=0.1))
    focal = loss_function(LossSettings(name="focal", gamma=1.0, alpha=0.25, label_smoothing=0.09), RELATIONS)
    torch.testing.assert_close(focal(logits, gold), FocalLoss(1.0, 0.25, 0.09)(logits, gold))


def test_weights_follow_the_labels_by_name(batch):
    logits, gold = batch
    order = RELATIONS[::-1]
    settings = LossSettings(name="focal", gamma=1.0, alpha={"per:religion": 3.0, "no_relation": 0.5})
    weights = [1.0] * 30
    weights[0], weights[29] = 3.0, 0.5
    computed = loss_function(settings, order)(logits, gold)
    torch.testing.assert_close(computed, FocalLoss(1.0, weights)(logits, gold))
    assert not torch.allclose(computed, FocalLoss(1.0)(logits, gold))


def divergence(true, other):
    """KL(true || other) of two rows of logits, in Python floats."""
    p, q = ([value - math.log(sum(map(math.exp, row))) for value in row] for row in (true, other))
    return sum(math.exp(a) * (a - b) for a, b in zip(p, q, strict=True))


@pytest.mark.parametrize("weight", [0.5, 4.0])
def test_r_drop_is_half_of_the_papers(batch, weight):
    logits, gold = batch
    first, second = logits[:20], logits[20:]
    paper = 0.0
    for a, b, label in zip(first.tolist(), second.tolist(), gold[:20].tolist(), strict=True):
        for row in (a, b):
            paper += math.log(sum(map(math.exp, row))) - row[label]
        paper += weight * (divergence(a, b) + divergence(b, a)) / 2
    computed = RDropLoss(FocalLoss(0.0), weight)(logits, gold[:20])
    assert computed.item() == pytest.approx(paper / 20 / 2, rel=1e-5)


def test_equal_passes_cost_the_plain_loss(batch):
    logits, gold = batch
    plain = FocalLoss(2.0, 0.25, 0.1)
    torch.testing.assert_close(RDropLoss(plain, 3.0)(torch.cat((logits, logits)), gold), plain(logits, gold))


def test_the_recipe_asks_for_r_drop(batch):
    logits, gold = batch
    asked = loss_function(LossSettings(name="focal", gamma=1.0, r_drop=0.5), RELATIONS)
    expected = RDropLoss(FocalLoss(1.0), 0.5)
    torch.testing.assert_close(asked(logits, gold[:20]), expected(logits, gold[:20]))
    assert isinstance(loss_function(LossSettings(), RELATIONS), FocalLoss)
