"""What two jobs predict differently, and the expected gain against known truths."""

import numpy as np
import pytest

from relex.domain.calibration import Bucket, Curve
from relex.domain.differences import Confidences, LabelPair, TypePairFlips, differences_of, expected_gain
from relex.evaluation.calibration import fit_curve


def test_the_worst_comes_first():
    pairs = [LabelPair("x", "x", 50), LabelPair("x", "y", 2), LabelPair("y", "z", 7), LabelPair("z", "z", 1)]
    found = differences_of(pairs, [TypePairFlips("ORG-PER", 40, 1), TypePairFlips("PER-LOC", 20, 8)])
    assert (found.rows, found.same, found.flips, found.agreement) == (60, 51, 9, 85.0)
    assert [(pair.a, pair.b) for pair in found.label_pairs] == [("y", "z"), ("x", "y")]
    assert [(each.label, each.both, each.only_a, each.only_b) for each in found.by_label] == [
        ("y", 0, 7, 2),
        ("z", 1, 0, 7),
        ("x", 50, 2, 0),
    ]
    assert [each.type_pair for each in found.by_type_pair] == ["PER-LOC", "ORG-PER"]


def test_no_rows_agree_in_nothing():
    assert differences_of([], []).agreement is None


def test_models_that_always_agree_gain_nothing_for_certain():
    certain = Confidences(Curve((0.0, 1.0), (0.0, 1.0)), (Bucket(), Bucket(10, 8.0), Bucket()))
    gain = expected_gain(certain, certain, 10, 0)
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)


def rows_of_two_models(draw, rows):
    """Confidences of two models whose errors are related, which of them are right, and where they differ."""
    easy = draw.beta(3, 1.2, size=rows)
    stated = [np.clip(easy + draw.normal(0, noise, rows), 0.01, 0.99) for noise in (0.25, 0.1)]
    fortune = draw.random(rows)
    right = [fortune < easy**1.5, np.where(draw.random(rows) < 0.7, fortune, draw.random(rows)) < easy]
    both_wrong_differ = ~right[0] & ~right[1] & (draw.random(rows) < 0.4)
    return stated, right, (right[0] != right[1]) | both_wrong_differ


def placed(curve, stated):
    numbers = np.searchsorted(curve.knots, stated, side="right")
    return Confidences(
        curve,
        tuple(
            Bucket(int((numbers == n).sum()), float(stated[numbers == n].sum())) for n in range(len(curve.knots) + 1)
        ),
    )


def test_the_interval_holds_the_true_gain_as_often_as_it_says():
    draw = np.random.default_rng(16)
    held, misses = 0, []
    for _ in range(60):
        stated, right, _ = rows_of_two_models(draw, 1500)
        curves = [fit_curve(each, hits) for each, hits in zip(stated, right, strict=True)]
        stated, right, flips = rows_of_two_models(draw, 1000)
        sides = [placed(curve, each) for curve, each in zip(curves, stated, strict=True)]
        gain = expected_gain(*sides, rows=1000, flips=int(flips.sum()))
        truth = 100 * (right[1].mean() - right[0].mean())
        held += gain.low <= truth <= gain.high
        misses.append(gain.value - truth)
        assert 1 < gain.high - gain.low < 12
    assert held >= 54, "95 % promised; 54 of 60 is what chance leaves of it"
    assert np.mean(misses) == pytest.approx(0, abs=0.7)
