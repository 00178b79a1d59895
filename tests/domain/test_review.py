"""How the random rows of a review are spread over type pairs, and what their labels say about the whole job."""

import random
from collections import Counter

import pytest

from relex.domain.review import MIN_DRAWN, OTHER, DrawnBy, Stratum, chosen, spread
from relex.domain.sample_scores import LabeledRow, sample_scores

COUNTS = {"PER-ORG": 9000, "ORG-LOC": 900, "PER-DAT": 90, "ORG-NOH": 1}


def test_draws_are_spread_by_the_square_root_of_the_rows():
    strata = spread(COUNTS, 100)
    assert {name: rows for name, (rows, _) in strata.items()} == COUNTS
    draws = {name: drawn for name, (_, drawn) in strata.items()}
    assert sum(draws.values()) == 100
    assert draws["ORG-NOH"] == 1
    assert draws["PER-ORG"] / draws["ORG-LOC"] == pytest.approx(10**0.5, rel=0.1)
    assert draws["PER-DAT"] > 100 * 90 / sum(COUNTS.values())


def test_the_rarest_pairs_share_a_stratum_where_draws_are_few():
    counts = {f"PER-{n}": 10 + n for n in range(36)}
    strata = spread(counts, 20)
    assert len(strata) == 10
    assert sum(rows for rows, _ in strata.values()) == sum(counts.values()), "every row may be drawn"
    assert all(drawn >= MIN_DRAWN for _, drawn in strata.values())
    assert strata[OTHER][0] == sum(10 + n for n in range(27))


@pytest.mark.parametrize("draws", [0, 1, 2, 3, 9991, 20000])
def test_no_more_rows_are_drawn_than_asked_for_or_present(draws):
    strata = spread(COUNTS, draws)
    assert sum(drawn for _, drawn in strata.values()) == min(draws, sum(COUNTS.values()))
    assert all(0 < drawn <= rows for rows, drawn in strata.values())


def test_nothing_is_spread_over_nothing():
    assert spread({}, 5) == {}


def test_rows_that_were_chosen_stand_for_themselves():
    assert [(row.stratum, row.weight) for row in chosen(DrawnBy.MARGIN, [4, 7])] == [(Stratum("margin", 2), 1.0)] * 2


def labeled(stratum, right, wrong, gold="per:spouse"):
    return [LabeledRow(gold, gold, stratum)] * right + [LabeledRow(gold, "per:title", stratum)] * wrong


def test_each_row_counts_with_the_rows_that_it_stands_for():
    rows = [*labeled(Stratum("margin", 10), 2, 8), *labeled(Stratum("PER-ORG", 990), 9, 1)]
    scores = sample_scores(rows, 1000)
    assert scores.accuracy.value == pytest.approx(100 * (2 + 0.9 * 990) / 1000)
    assert scores.accuracy.low < 60 < scores.accuracy.value < scores.accuracy.high < 99


def test_a_fully_labeled_job_has_no_uncertainty():
    rows = [*labeled(Stratum("margin", 3), 1, 2), *labeled(Stratum("PER-ORG", 2), 2, 0)]
    accuracy = sample_scores(rows, 5).accuracy
    assert (accuracy.low, accuracy.value, accuracy.high) == pytest.approx((60, 60, 60))


def test_rows_that_happen_to_be_all_right_are_not_certain():
    accuracy = sample_scores(labeled(Stratum("PER-ORG", 10_000), 20, 0), 10_000).accuracy
    assert accuracy.value == accuracy.high == 100
    assert accuracy.low == pytest.approx(83.9, abs=0.1), "Wilson's bound for 20 of 20"


def test_labels_of_chosen_rows_alone_say_nothing_about_the_job():
    scores = sample_scores([*labeled(Stratum("margin", 10), 5, 5), *labeled(None, 3, 0)], 1000)
    assert (scores.rows, scores.counted, scores.accuracy, scores.micro_f1) == (13, 10, None, None)


def test_without_labels_there_is_no_score():
    assert sample_scores([], 1000) is None


def test_micro_f1_leaves_no_relation_out():
    stratum = Stratum("PER-ORG", 8)
    pairs = [("a", "a"), ("a", "b"), ("a", "no_relation"), ("no_relation", "a"), ("no_relation", "no_relation")]
    scores = sample_scores([LabeledRow(gold, predicted, stratum) for gold, predicted in pairs], 8)
    assert scores.micro_f1.value == pytest.approx(100 * 2 / 6)
    assert scores.accuracy.value == pytest.approx(40)


def test_the_intervals_hold_the_truth_in_about_95_of_100_reviews():
    """Draw reviews of a job whose gold labels are all known: type pairs differ in size, accuracy and relations."""
    draw = random.Random(7)
    job = {}
    for pair, (rows, accuracy, relations) in {
        "PER-ORG": (3000, 0.7, 0.6),
        "ORG-LOC": (700, 0.9, 0.3),
        "PER-DAT": (250, 0.5, 0.9),
        "ORG-NOH": (50, 0.3, 0.5),
    }.items():
        golds = ["r" if draw.random() < relations else "no_relation" for _ in range(rows)]
        other = {"r": "no_relation", "no_relation": "r"}
        job[pair] = [(gold, gold if draw.random() < accuracy else other[gold]) for gold in golds]
    every = [pair for rows in job.values() for pair in rows]
    whole = [LabeledRow(gold, predicted, Stratum("all", len(every))) for gold, predicted in every]
    truth = sample_scores(whole, len(every))
    strata = spread({pair: len(rows) for pair, rows in job.items()}, 120)
    held = Counter()
    means = Counter()
    for _ in range(400):
        rows = [
            LabeledRow(*row, Stratum(pair, size))
            for pair, (size, drawn) in strata.items()
            for row in draw.sample(job[pair], drawn)
        ]
        scores = sample_scores(rows, len(every))
        for name in ("accuracy", "micro_f1"):
            estimate, true = getattr(scores, name), getattr(truth, name).value
            held[name] += estimate.low <= true <= estimate.high
            means[name] += estimate.value / 400
    assert means["accuracy"] == pytest.approx(truth.accuracy.value, abs=0.6)
    assert means["micro_f1"] == pytest.approx(truth.micro_f1.value, abs=0.6)
    assert all(370 <= count <= 396 for count in held.values()), held
