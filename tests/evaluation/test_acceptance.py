"""Promised errors on rows whose true error is known."""

import numpy as np
import pytest
from scipy.stats import binomtest

from relex.domain.calibration import ValidationRows
from relex.errors import RelexError
from relex.evaluation.acceptance import promise, upper_bound


def drawn(rows, seed, mix=(0.5, 0.5)):
    """Draw rows of two categories: in the second one twice as many of the unsure rows are wrong."""
    draw = np.random.default_rng(seed)
    category = (draw.random(rows) < mix[1]).astype(int)
    confidence = np.sort(draw.random(rows))[::-1]
    wrong = draw.random(rows) < (1 - confidence) * (0.4 + 0.4 * category)
    return ValidationRows(tuple(confidence.tolist()), tuple((~wrong).tolist()), tuple(category.tolist()), ("a", "b"))


def error(rows, threshold):
    accepted = np.array(rows.confidence) >= threshold
    return 1 - np.array(rows.right)[accepted].mean()


def test_the_bound_of_equal_weights_is_that_of_clopper_and_pearson():
    wrong = np.array([1.0] * 7 + [0.0] * 93)
    exact = binomtest(7, 100).proportion_ci(0.9, "exact").high  # two-sided 90 %: 5 % above
    assert upper_bound(wrong, np.ones(100), 0.05) == pytest.approx(exact)
    assert upper_bound(wrong, np.full(100, 3.0), 0.05) == pytest.approx(exact)
    assert upper_bound(np.ones(4), np.ones(4), 0.05) == 1.0
    assert upper_bound(np.array([]), np.array([]), 0.05) == 1.0


def test_unequal_weights_are_worth_fewer_rows():
    wrong = np.array([1.0] * 7 + [0.0] * 93)
    weights = np.where(np.arange(100) % 2, 0.2, 1.8)
    assert upper_bound(wrong, weights, 0.05) > upper_bound(wrong, np.ones(100), 0.05)


@pytest.mark.parametrize("max_error", [0.08, 0.1, 0.2])
def test_a_promise_is_kept_on_other_rows_of_the_same_kind(max_error):
    broken = 0
    for seed in range(40):
        choice = promise(drawn(6000, seed), max_error)
        assert choice.bound <= max_error
        broken += error(drawn(50_000, 1000 + seed), choice.threshold) > max_error
    assert broken <= 2


def test_a_promise_for_another_mix_needs_weights():
    """The plain rule breaks where the harder rows become frequent, the weighted one does not."""
    plain = weighted = 0
    for seed in range(40):
        rows, later = drawn(6000, seed, (0.8, 0.2)), drawn(50_000, 1000 + seed, (0.1, 0.9))
        plain += error(later, promise(rows, 0.15).threshold) > 0.15
        choice = promise(rows, 0.15, {"a": 10, "b": 90})
        weighted += error(later, choice.threshold) > 0.15
        assert choice.weighted
        assert choice.effective_rows < 2000
    assert plain > 20
    assert weighted <= 2


def test_rows_of_equal_confidence_are_accepted_together():
    rows = ValidationRows((0.9,) * 500 + (0.5,) * 500, (True,) * 500 + (False,) * 500, (0,) * 1000, ("a",))
    choice = promise(rows, 0.05)
    assert (choice.threshold, choice.coverage) == (0.9, 0.5)


def test_too_few_rows_of_the_jobs_kind_promise_nothing():
    rows = drawn(2000, 0, (0.97, 0.03))
    with pytest.raises(RelexError, match=r"an effective sample size of \d+, and a promise needs 100"):
        promise(rows, 0.1, {"b": 100})


def test_a_model_that_is_often_wrong_promises_nothing():
    rows = ValidationRows(tuple(np.linspace(1, 0, 500)), (True, False) * 250, (0,) * 500, ("a",))
    with pytest.raises(RelexError, match="no threshold keeps the error below 10%"):
        promise(rows, 0.1)
