"""A fitted calibration against the truth that the rows were drawn from, and against scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from relex.domain.calibration import MAX_KNOTS, Calibration, expected_quality
from relex.evaluation.calibration import REPLICATES, fit_calibration, fit_curve, scored_rows
from relex.labels import NO_RELATION, RELATIONS
from tests.factories import example


def drawn(rows, seed=0, truth=lambda p: p):
    """Draw rows whose highest probability p is right with probability `truth(p)`."""
    draw = np.random.default_rng(seed)
    probabilities = draw.dirichlet(np.full(len(RELATIONS), 0.05), rows)
    best = probabilities.argmax(axis=1)
    right = draw.random(rows) < truth(probabilities.max(axis=1))
    gold = np.where(right, best, (best + 1 + draw.integers(len(RELATIONS) - 1, size=rows)) % len(RELATIONS))
    return [replace(example(row), label=RELATIONS[label]) for row, label in enumerate(gold)], probabilities


def fitted(rows=4000, truth=lambda p: p**2):
    examples, probabilities = drawn(rows, truth=truth)
    return fit_calibration(examples, probabilities, RELATIONS, examples[:10], "0" * 64)


def test_the_confidence_curve_is_near_the_truth():
    curve = fitted().confidence
    assert [curve(p) for p in (0.4, 0.6, 0.8)] == pytest.approx([0.16, 0.36, 0.64], abs=0.07)
    assert list(curve.values) == sorted(curve.values)
    assert len(curve.knots) <= MAX_KNOTS
    assert len(curve.replicates) == REPLICATES


def test_a_curve_sums_to_what_isotonic_regression_sums_to():
    draw = np.random.default_rng(3)
    probability = draw.random(3000)
    right = draw.random(3000) < probability**2
    curve = fit_curve(probability, right)
    regression = IsotonicRegression(out_of_bounds="clip").fit(probability, right)
    other = draw.random(3000) ** 0.5
    assert np.mean([curve(p) for p in other]) == pytest.approx(regression.predict(other).mean(), abs=0.005)


def test_no_rows_are_believed():
    curve = fit_curve(np.array([]), np.array([], bool))
    assert [curve(p) for p in (0.0, 0.3, 1.0)] == [0.0, 0.3, 1.0]


def test_the_estimate_for_other_rows_of_the_same_kind_is_near_their_score():
    calibration = fitted()
    examples, probabilities = drawn(4000, seed=1, truth=lambda p: p**2)
    predicted = [RELATIONS[index] for index in probabilities.argmax(axis=1)]
    accuracy = 100 * np.mean([item.label == label for item, label in zip(examples, predicted, strict=True)])
    expected = expected_quality(calibration, scored_rows(calibration, probabilities, RELATIONS)).accuracy
    assert expected.value == pytest.approx(accuracy, abs=2)
    assert expected.low < accuracy < expected.high


def test_it_survives_its_file():
    calibration = fitted(300)
    assert Calibration.from_json(calibration.to_json(), "calibration.json") == calibration


def test_the_profile_counts_rows_by_category():
    calibration = fitted(300)
    assert calibration.trained.rows == 10
    assert calibration.validated.type_pairs == {"ORG-PER": 300}
    assert sum(calibration.validated.predicted.values()) == 300
    assert calibration.validated.predicted.keys() <= set(RELATIONS)
    assert sum(calibration.validated.labels.values()) == 300


def test_the_validation_rows_are_kept_from_the_most_confident_to_the_least():
    rows = fitted(300).validation
    assert list(rows.confidence) == sorted(rows.confidence, reverse=True)
    assert 0 < sum(rows.right) < 300
    assert rows.categories == ("ORG-PER relex",)


def test_predictions_are_counted_in_the_buckets_of_the_curves():
    calibration = fitted(300)
    _, probabilities = drawn(50, seed=2)
    rows = scored_rows(calibration, probabilities, RELATIONS)
    none = probabilities[:, RELATIONS.index(NO_RELATION)]
    assert sum(bucket.rows for bucket in rows.confidence) == rows.rows == 50
    assert sum(bucket.rows for bucket in rows.relation) == rows.relations
    assert sum(bucket.total for bucket in rows.no_relation) == pytest.approx(none.sum())
