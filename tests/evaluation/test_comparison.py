"""Two models on the same rows: the tests against slow plain ones, the figures against scikit-learn's definitions."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import (
    auc,
    average_precision_score,
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
)

from relex.domain.examples import Prediction
from relex.evaluation.evaluator import compare_predictions, difference, evaluate_predictions, mcnemar
from relex.evaluation.intervals import RESAMPLES
from relex.labels import NO_RELATION, RELATIONS
from tests.factories import example

ROWS = 300


def labeled():
    """Every relation ten times."""
    return [example(n, RELATIONS[n % 30]) for n in range(ROWS)]


def predictions(seed, skill, labels=RELATIONS):
    """Predictions for `labeled()`; skill 0 is chance, 1 is nearly always right."""
    scores = np.random.default_rng(seed).random((ROWS, 30))
    scores[np.arange(ROWS), np.arange(ROWS) % 30] += skill
    scores /= scores.sum(axis=1, keepdims=True)
    best = [RELATIONS[index] for index in scores.argmax(axis=1)]
    ordered = scores[:, [RELATIONS.index(label) for label in labels]]
    return [Prediction(n, best[n], tuple(map(float, ordered[n]))) for n in range(ROWS)]


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_those_of_scikit_learn_to_the_ninth_digit(seed):
    said = predictions(seed, skill=0.3)
    gold, guess = [each.label for each in labeled()], [each.label for each in said]
    found = evaluate_predictions(labeled(), said, RELATIONS)
    relations = [label for label in RELATIONS if label != NO_RELATION]
    wanted = 100 * f1_score(gold, guess, average="micro", labels=relations)
    assert 10 < wanted < 90
    assert found.headline.micro_f1.value == pytest.approx(wanted, abs=1e-9)
    areas, steps = [], []
    for index, label in enumerate(RELATIONS):
        truth, column = [name == label for name in gold], [each.probabilities[index] for each in said]
        precision, recall, _ = precision_recall_curve(truth, column)
        areas.append(auc(recall, precision))
        steps.append(average_precision_score(truth, column))
    assert found.headline.auprc.value == pytest.approx(100 * np.mean(areas), abs=1e-9)
    assert found.headline.average_precision == pytest.approx(100 * np.mean(steps), abs=1e-9)
    for each in found.per_label:
        truth, taken = [name == each.label for name in gold], [name == each.label for name in guess]
        assert each.precision == pytest.approx(100 * precision_score(truth, taken, zero_division=0), abs=1e-9)
        assert each.recall == pytest.approx(100 * recall_score(truth, taken), abs=1e-9)
        assert each.f1 == pytest.approx(100 * f1_score(truth, taken, zero_division=0), abs=1e-9)
        assert each.support == 10


def test_the_intervals_hold_the_scores():
    headline = evaluate_predictions(labeled(), predictions(0, skill=0.5), RELATIONS).headline
    for figure in (headline.micro_f1, headline.auprc):
        assert figure.interval[0] < figure.value < figure.interval[1]


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (0, 6), (5, 5), (7, 12), (310, 250), (1400, 1900)])
def test_mcnemar_against_scipy(only_a, only_b):
    wanted = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(wanted, rel=1e-9)
    assert mcnemar(only_b, only_a) == mcnemar(only_a, only_b)


def test_mcnemar_holds_for_many_thousand_rows():
    assert 0 < mcnemar(10_000, 10_300) < 0.05
    assert mcnemar(0, 5_000) == 0


def test_the_paired_bootstrap_against_a_loop():
    gold = [each.label for each in labeled()]
    one, other = predictions(1, skill=0.3), predictions(2, skill=0.36)
    found = compare_predictions(labeled(), (one, RELATIONS), (other, RELATIONS)).micro_f1
    generator = np.random.default_rng(0)
    gains = []
    for _ in range(RESAMPLES):
        drawn = generator.integers(ROWS, size=ROWS)
        gains.append(plain_micro_f1(gold, other, drawn) - plain_micro_f1(gold, one, drawn))
    everything = range(ROWS)
    assert found.value == pytest.approx(plain_micro_f1(gold, other, everything) - plain_micro_f1(gold, one, everything))
    assert found.interval == pytest.approx(tuple(np.percentile(gains, [2.5, 97.5])), abs=1e-9)
    not_better, not_worse = sum(gain <= 0 for gain in gains), sum(gain >= 0 for gain in gains)
    assert found.p_value == pytest.approx(2 * (1 + min(not_better, not_worse)) / (RESAMPLES + 1))
    assert 0.002 < found.p_value < 1
    assert {type(value) for value in (found.value, found.p_value, *found.interval)} == {float}, "plain, without numpy"


def plain_micro_f1(gold, said, drawn):
    hits = sum(gold[n] == said[n].label != NO_RELATION for n in drawn)
    return 200 * hits / sum((gold[n] != NO_RELATION) + (said[n].label != NO_RELATION) for n in drawn)


def test_equal_models_do_not_differ():
    said = predictions(1, skill=0.3)
    found = compare_predictions(labeled(), (said, RELATIONS), (said, RELATIONS))
    for each in (found.micro_f1, found.auprc):
        assert (each.value, each.interval, each.p_value) == (0, (0, 0), 1)
    assert (found.only_a_right, found.only_b_right, found.mcnemar_p) == (0, 0, 1)


def test_a_clear_winner_has_the_smallest_p_value_and_b_minus_a_is_positive():
    found = compare_predictions(
        labeled(), (predictions(1, skill=0.1), RELATIONS), (predictions(2, skill=0.9), RELATIONS)
    )
    for each in (found.micro_f1, found.auprc):
        assert each.interval[0] > 20
        assert each.p_value == pytest.approx(2 / (RESAMPLES + 1))
    assert found.mcnemar_p < 1e-9
    assert found.only_b_right > found.only_a_right


def test_turned_round_the_difference_changes_its_sign_and_nothing_else():
    one, other = np.random.default_rng(3).normal(50, 2, (2, RESAMPLES))
    forth, back = difference(50, 51, one, other), difference(51, 50, other, one)
    assert (back.value, back.p_value) == (-forth.value, forth.p_value)
    assert back.interval == pytest.approx((-forth.interval[1], -forth.interval[0]))


def test_rows_right_against_a_count_and_labels_go_by_name():
    one, other = predictions(1, skill=0.3), predictions(2, skill=0.4)
    found = compare_predictions(labeled(), (one, RELATIONS), (other, RELATIONS))
    right = [(a.label == each.label, b.label == each.label) for each, a, b in zip(labeled(), one, other, strict=True)]
    counts = (found.both_right, found.only_a_right, found.only_b_right, found.none_right)
    assert counts == tuple(right.count(kind) for kind in [(True, True), (True, False), (False, True), (False, False)])
    assert min(counts) > 0
    turned = RELATIONS[::-1]
    again = compare_predictions(labeled(), (one, RELATIONS), (predictions(2, skill=0.4, labels=turned), turned))
    assert again.micro_f1 == found.micro_f1
    assert again.b.auprc.value == pytest.approx(found.b.auprc.value, abs=1e-9)
    assert again.auprc.interval == pytest.approx(found.auprc.interval, abs=1e-9)
