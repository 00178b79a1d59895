"""Curves and estimates against sums over the rows themselves."""

import json
import random

import pytest

from relex.domain.calibration import Bucket, Calibration, Curve, Profile, ScoredRows, ValidationRows, expected_quality
from relex.errors import BadCheckpoint

CURVE = Curve((0.2, 0.6, 0.9), (0.1, 0.5, 0.95))
PROFILE = Profile(4, {"ORG-PER": 4}, {"wikipedia": 4}, {"up to 50": 4}, {"no_relation": 4}, {})


def buckets(curve, probabilities):
    """Put each probability into its bucket, by the definition."""
    rows = [[p for p in probabilities if sum(knot <= p for knot in curve.knots) == at] for at in range(4)]
    return tuple(Bucket(len(each), sum(each)) for each in rows)


def calibration(**changes):
    rows = ValidationRows((0.9, 0.5), (True, False), (0, 0), ("ORG-PER wikipedia",))
    values = {"confidence": CURVE, "relation": CURVE, "no_relation": CURVE, "validation": rows}
    facts = {"data_sha256": "0" * 64, "out_of_fold": False, "accuracy": 50.0, "micro_f1": 60.0}
    return Calibration(**(facts | values | {"trained": PROFILE, "validated": PROFILE} | changes))


@pytest.mark.parametrize(
    ("probability", "value"), [(0.0, 0.1), (0.2, 0.1), (0.4, 0.3), (0.6, 0.5), (0.75, 0.725), (0.9, 0.95), (1.0, 0.95)]
)
def test_a_curve_is_linear_between_its_knots(probability, value):
    assert CURVE(probability) == pytest.approx(value)


@pytest.mark.parametrize(
    ("value", "probability"), [(0.0, 0.0), (0.1, 0.0), (0.3, 0.4), (0.5, 0.6), (0.95, 0.9), (0.96, float("inf"))]
)
def test_the_lowest_probability_of_a_value(value, probability):
    assert CURVE.lowest_with(value) == pytest.approx(probability)


def test_counts_and_sums_of_buckets_are_enough_to_sum_a_curve():
    probabilities = [random.Random(5).random() for _ in range(1000)] + list(CURVE.knots)
    assert CURVE.total(buckets(CURVE, probabilities)) == pytest.approx(sum(map(CURVE, probabilities)))


def test_the_estimate_is_the_definition():
    draw = random.Random(7)
    rows = [(draw.random(), draw.random() < 0.6) for _ in range(500)]
    none = [draw.random() for _ in rows]
    confident = [p for p, is_relation in rows if is_relation]
    scored = ScoredRows(
        500,
        len(confident),
        buckets(CURVE, [p for p, _ in rows]),
        buckets(CURVE, confident),
        buckets(CURVE, none),
    )
    quality = expected_quality(calibration(), scored)
    gold = sum(1 - CURVE(p) for p in none)
    assert quality.micro_f1.value == pytest.approx(200 * sum(map(CURVE, confident)) / (len(confident) + gold))
    assert quality.accuracy.value == pytest.approx(100 * sum(CURVE(p) for p, _ in rows) / 500)
    for estimate in (quality.micro_f1, quality.accuracy):
        assert 0 <= estimate.low < estimate.value < estimate.high <= 100


def test_uncertain_curves_widen_the_interval():
    rows = ScoredRows(1000, 500, *[buckets(CURVE, [0.5] * 1000)] * 3)
    uncertain = Curve(CURVE.knots, CURVE.values, ((0.0, 0.3, 0.8), (0.2, 0.7, 1.0)))
    plain, wide = (expected_quality(calibration(confidence=curve), rows).accuracy for curve in (CURVE, uncertain))
    assert (wide.high - wide.low) > 3 * (plain.high - plain.low)


def test_rows_without_any_relation_have_an_f1_of_0():
    rows = ScoredRows(10, 0, buckets(CURVE, [0.9] * 10), (Bucket(),) * 4, buckets(CURVE, [1.0] * 10))
    assert expected_quality(calibration(), rows).micro_f1.value == 0


def test_it_can_be_written_and_read():
    written = calibration(confidence=Curve((0.0, 1.0), (0.0, 1.0), ((0.1, 0.9),)))
    assert Calibration.from_json(written.to_json(), "calibration.json") == written


@pytest.mark.parametrize("spoil", [lambda _: [], lambda text: text | {"format": 2}, lambda text: text | {"more": 1}])
def test_another_file_is_refused(spoil):
    with pytest.raises(BadCheckpoint, match=r"here/calibration\.json: not a calibration"):
        Calibration.from_json(json.dumps(spoil(json.loads(calibration().to_json()))), "here/calibration.json")


def test_a_version_that_predicted_no_relation_of_the_validation_rows_has_an_estimate():
    believed = Curve((0.0, 1.0), (0.0, 1.0), ((0.0, 1.0),))  # what is fitted to no rows: one replicate
    resampled = Curve((0.0, 1.0), (0.0, 0.9), ((0.0, 0.8), (0.0, 0.85), (0.0, 0.95)))
    made = calibration(relation=believed, confidence=resampled, no_relation=resampled)
    nothing, everything = (Bucket(), Bucket(), Bucket()), (Bucket(), Bucket(10, 6.0), Bucket())
    expected = expected_quality(made, ScoredRows(10, 0, everything, nothing, everything))
    assert expected.accuracy.value == pytest.approx(54)
    assert expected.accuracy.low < 54 < expected.accuracy.high
    assert expected.micro_f1.value == 0
