"""The two-sample test separates kinds of predictions, and does not where they are alike."""

import numpy as np
import pytest

from relex.domain.drift import MIN_TEST_ROWS
from relex.evaluation.two_sample import two_sample_auc
from tests.evaluation.test_calibration import drawn, fitted

SAMPLE = fitted().sample


def test_predictions_of_the_same_kind_are_not_separated():
    assert two_sample_auc(SAMPLE, drawn(500, seed=5)[1].tolist()) == pytest.approx(0.5, abs=0.08)


def test_predictions_of_another_kind_are():
    flat = np.random.default_rng(0).dirichlet(np.full(30, 1.0), 500)
    assert two_sample_auc(SAMPLE, flat.tolist()) > 0.9


def test_too_few_rows_and_other_labels_say_nothing():
    assert two_sample_auc(SAMPLE, drawn(MIN_TEST_ROWS - 1, seed=5)[1].tolist()) is None
    assert two_sample_auc(SAMPLE, np.full((200, 7), 1 / 7).tolist()) is None
