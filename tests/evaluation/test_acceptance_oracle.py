"""MAPIE as an oracle: it controls the same risk as a promised error, with the same exact test of each threshold.

MAPIE's BinaryClassificationController (Learn Then Test, Angelopoulos et al. 2022) tests for each of n thresholds
whether the error of the rows above it is at most a target. Its p-value is the binomial one, and with Bonferroni's
correction each test has the level delta / n. A promise compares a Clopper-Pearson bound at the level delta / n with
the promised error, which is the inverse of that test. What differs is the choice of thresholds: MAPIE tests a fixed
list, a promise those that its binary search visits. It knows no weights either, so only promises without drift
are compared.
"""

from math import ceil, log2

import numpy as np
import pytest
from mapie.risk_control import BinaryClassificationController, BinaryRisk

from relex.domain.acceptance import CONFIDENCE
from relex.domain.calibration import ValidationRows
from relex.evaluation.acceptance import DELTA, promise, upper_bound

# MAPIE warns where all or none of the thresholds are valid, which is expected of some.
pytestmark = pytest.mark.filterwarnings("ignore:(No predict parameters|All provided predict_params):UserWarning")

ROWS = 2_000
STEPS = ceil(log2(ROWS))
"""Number of thresholds that a promise tests."""


class ExactlyCounted(BinaryRisk):
    """A risk whose errors are counted exactly: MAPIE rounds n * (k / n) up, which may be k + 1 in floating point."""

    def get_value_and_effective_sample_size(self, y_true, y_pred):
        value, count = super().get_value_and_effective_sample_size(y_true, y_pred)
        return value * (1 - 1e-12), count


WRONG_IF_ACCEPTED = ExactlyCounted(
    risk_occurrence=lambda right, accepted: right.ravel() != accepted.ravel(),
    risk_condition=lambda _, accepted: accepted.ravel() == 1,
    higher_is_better=False,
)
"""The share of wrong rows among the accepted ones: one minus MAPIE's precision."""


def drawn(seed):
    """Draw rows that are wrong the more often the less confident they are, in the order of their confidence."""
    draw = np.random.default_rng(seed)
    confidence = np.sort(draw.random(ROWS))[::-1]
    return confidence, draw.random(ROWS) > 0.8 * (1 - confidence) ** 2


def controlled(confidence, right, thresholds, max_error):
    """The thresholds at which MAPIE controls the error."""
    controller = BinaryClassificationController(
        predict_function=lambda rows: np.column_stack([1 - rows, rows]),
        risk=WRONG_IF_ACCEPTED,
        target_level=max_error,
        confidence_level=CONFIDENCE,
        best_predict_param_choice=WRONG_IF_ACCEPTED,
        list_predict_params=thresholds,
        fwer_method="bonferroni",
    )
    return set(controller.calibrate(confidence, right.astype(int)).valid_predict_params.tolist())


@pytest.mark.parametrize("max_error", [0.05, 0.1, 0.15])
@pytest.mark.parametrize("seed", range(3))
def test_both_control_the_error_at_the_same_thresholds(seed, max_error):
    confidence, right = drawn(seed)
    ours, theirs = set(), set()
    for thresholds in np.split(confidence[: STEPS * (ROWS // STEPS)], ROWS // STEPS):
        theirs |= controlled(confidence, right, thresholds, max_error)
        for threshold in thresholds.tolist():
            accepted = confidence >= threshold
            bound = upper_bound(1.0 - right[accepted], np.ones(accepted.sum()), DELTA / STEPS)
            ours |= {threshold} if bound <= max_error else set()
    assert theirs == ours
    assert 0 < len(ours) < ROWS - STEPS


@pytest.mark.parametrize("max_error", [0.05, 0.1, 0.15])
@pytest.mark.parametrize("seed", range(3))
def test_the_bound_of_a_promise_is_the_least_error_that_mapie_controls_at_its_threshold(seed, max_error):
    confidence, right = drawn(seed)
    made = promise(ValidationRows(tuple(confidence), tuple(right.tolist()), (0,) * ROWS, ("all",)), max_error)
    thresholds = np.array([made.threshold, *confidence[1:STEPS]])
    assert made.threshold in controlled(confidence, right, thresholds, max_error)
    assert made.threshold in controlled(confidence, right, thresholds, made.bound + 1e-9)
    assert made.threshold not in controlled(confidence, right, thresholds, made.bound - 1e-9)
