"""The figures against golden values, a plain count, and each other's edges."""

import logging

import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_curve

from relex.evaluation.intervals import interval, micro_f1s
from relex.evaluation.metrics import auprc, average_precision, evaluation, micro_f1, score_table
from relex.labels import NO_RELATION, RELATIONS


@pytest.fixture
def rows():
    """300 gold labels, each relation ten times, and probabilities that know a little."""
    generator = np.random.default_rng(3)
    truth = np.repeat(np.arange(30), 10)
    scores = generator.random((300, 30))
    scores[np.arange(300), truth] += generator.random(300)
    return [RELATIONS[index] for index in truth], scores / scores.sum(axis=1, keepdims=True)


def test_micro_f1_counts_a_relation_for_no_relation_as_wrong():
    gold = [NO_RELATION, "per:spouse", "per:title", NO_RELATION, "per:title"]
    predicted = ["per:title", "per:spouse", NO_RELATION, NO_RELATION, "per:spouse"]
    # 1 hit; 3 relations predicted, 3 there to find.
    assert micro_f1(gold, predicted) == pytest.approx(100 * 2 * 1 / (3 + 3))


def test_micro_f1_against_a_plain_count(rows):
    gold, probabilities = rows
    predicted = [RELATIONS[index] for index in probabilities.argmax(axis=1)]
    hits = sum(one == other != NO_RELATION for one, other in zip(gold, predicted, strict=True))
    sides = sum(label != NO_RELATION for label in [*gold, *predicted])
    assert 10 < micro_f1(gold, predicted) < 90
    assert micro_f1(gold, predicted) == pytest.approx(200 * hits / sides)


def test_all_no_relation_gives_0(rows):
    gold, _ = rows
    assert micro_f1(gold, [NO_RELATION] * len(gold)) == 0
    assert micro_f1([NO_RELATION], [NO_RELATION]) == 0
    assert micro_f1([NO_RELATION], ["per:title"]) == 0


def test_perfect_is_100(rows):
    gold, _ = rows
    certain = np.array([[float(label == other) for other in RELATIONS] for label in gold])
    assert micro_f1(gold, gold) == 100
    assert auprc(gold, certain, RELATIONS) == pytest.approx(100)
    assert average_precision(gold, certain, RELATIONS) == pytest.approx(100)


def test_constant_scores_have_the_known_area(rows, caplog):
    gold, _ = rows
    assert auprc(gold, np.full((300, 30), 1 / 30), RELATIONS) == pytest.approx(51.6667, abs=1e-4)
    uneven = [*gold, *[NO_RELATION] * 500]
    assert auprc(uneven, np.full((800, 30), 1 / 30), RELATIONS) == pytest.approx(51.6667, abs=1e-4)
    assert not caplog.records


def test_auprc_is_the_trapezoids_mean_and_not_average_precision(rows):
    gold, probabilities = rows
    areas = []
    for index, label in enumerate(RELATIONS):
        precision, recall, _ = precision_recall_curve([name == label for name in gold], probabilities[:, index])
        areas.append(auc(recall, precision))
    assert auprc(gold, probabilities, RELATIONS) == pytest.approx(100 * np.mean(areas))
    assert abs(auprc(gold, probabilities, RELATIONS) - average_precision(gold, probabilities, RELATIONS)) > 0.1


def test_auprc_goes_by_name_and_not_by_index(rows):
    gold, probabilities = rows
    turned = auprc(gold, probabilities[:, ::-1], RELATIONS[::-1])
    assert turned == pytest.approx(auprc(gold, probabilities, RELATIONS))
    assert auprc(gold, probabilities[:, ::-1], RELATIONS) < turned - 10


def test_a_label_without_gold_counts_a_half_and_is_named(rows, caplog):
    gold, probabilities = rows
    kept = [index for index, label in enumerate(gold) if label != "per:religion"]
    fewer = [gold[index] for index in kept]
    with caplog.at_level(logging.WARNING):
        computed = auprc(fewer, probabilities[kept], RELATIONS)
    others = auprc(fewer, probabilities[kept, :29], RELATIONS[:29])
    assert computed == pytest.approx((29 * others + 50) / 30)
    assert [record.getMessage() for record in caplog.records] == [
        "no gold row of per:religion: each counts 0.5 in AUPRC"
    ]


def test_the_interval_holds_the_figure_and_repeats(rows):
    gold, probabilities = rows
    predicted = [RELATIONS[index] for index in probabilities.argmax(axis=1)]
    low, high = interval(micro_f1s(gold, predicted))
    assert low < micro_f1(gold, predicted) < high
    assert 4 < high - low < 20
    assert (low, high) == interval(micro_f1s(gold, predicted))


def test_the_table_has_a_row_a_label():
    gold = ["per:title"] * 3 + [NO_RELATION] * 2 + ["per:spouse"]
    predicted = ["per:title"] * 2 + ["per:spouse"] * 2 + [NO_RELATION, "per:spouse"]
    table = score_table(gold, predicted, RELATIONS)
    assert list(table.index[:3]) == ["per:title", NO_RELATION, "per:spouse"]
    assert sorted(table.index) == sorted(RELATIONS)
    assert table.loc["per:title"].tolist() == pytest.approx([100, 200 / 3, 80, 3])
    assert table.loc["per:spouse"].tolist() == pytest.approx([100 / 3, 100, 50, 1])
    assert table.loc["per:religion"].tolist() == [0, 0, 0, 0]


def test_an_evaluation_holds_all_figures_of_the_same_rows(rows):
    gold, probabilities = rows
    whole = evaluation(gold, probabilities, RELATIONS)
    predicted = [RELATIONS[index] for index in probabilities.argmax(axis=1)]
    assert whole.micro_f1 == micro_f1(gold, predicted)
    assert whole.auprc == auprc(gold, probabilities, RELATIONS)
    assert whole.micro_f1_interval == interval(micro_f1s(gold, predicted))
    assert whole.per_label.equals(score_table(gold, predicted, RELATIONS))
