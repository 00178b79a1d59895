"""The promotion rule as a table: a candidate, its rival, and what is decided."""

from datetime import UTC, datetime

import pytest

from relex.domain.versions import DEFAULT_PRECISION, FP32, ModelVersion, Scores
from relex.registry.promotion import Candidate, Decision, Rival, decide

BASE = ModelVersion("base", 1, (), {}, (), datetime(2026, 1, 1, tzinfo=UTC), current=True)


def scores(micro_f1, auprc=50.0, precision=FP32):
    return Scores("f" * 64, 75, micro_f1, auprc, precision)


def candidate(micro_f1=71.1, auprc=50.0, precision=FP32, **more):
    return Candidate(scores(micro_f1, auprc, precision), "valid_data.csv", **more)


@pytest.mark.parametrize(
    ("new", "rival", "promoted", "reason"),
    [
        (candidate(), None, True, "no other version was current"),
        (candidate(), Rival(BASE, scores(69.8)), True, "71.10 > 69.80 micro-F1 on valid_data.csv, against base@1"),
        (candidate(), Rival(BASE, scores(72)), False, "71.10 <= 72.00 micro-F1 on valid_data.csv, against base@1"),
        (candidate(), Rival(BASE, scores(71.1)), False, "71.10 <= 71.10 micro-F1 on valid_data.csv, against base@1"),
        (
            candidate(60, 70.0, metric="auprc"),
            Rival(BASE, scores(61, 69.0)),
            True,
            "70.00 > 69.00 AUPRC on valid_data.csv, against base@1",
        ),
        (candidate(note="worse than a@1"), None, False, "worse than a@1"),
        (candidate(note="worse than a@1"), Rival(BASE, scores(1)), False, "worse than a@1"),
        (candidate(), Rival(BASE, None, "could not be evaluated: gone"), False, "base@1 could not be evaluated: gone"),
        (
            candidate(precision=DEFAULT_PRECISION),
            Rival(BASE, scores(1)),
            True,
            "71.10 > 1.00 micro-F1 on valid_data.csv, against base@1 (16 bit if the worker supports it against fp32)",
        ),
    ],
)
def test_the_rule(new, rival, promoted, reason):
    """Better than the rival on the same file, with nothing against it: current. Otherwise not, and it says why."""
    assert decide(new, rival) == Decision(promoted, reason)


def test_a_decision_as_a_sentence():
    """The end line of a training run and of an ensemble."""
    assert Decision(promoted=True, reason="a > b").sentence("large@1") == "large@1 is now current: a > b"
    assert Decision(promoted=False, reason="a <= b").sentence("large@1") == "large@1 is not current: a <= b"
