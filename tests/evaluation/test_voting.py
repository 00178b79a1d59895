"""Votes against a plain restatement, row by row and label by label."""

import math
from collections import Counter

import numpy as np
import pytest

from relex.domain.examples import Prediction
from relex.evaluation.evaluator import evaluate_stacked_votes, evaluate_votes
from relex.evaluation.metrics import micro_f1
from relex.evaluation.voting import cross_fitted, fitted_weights, stacked, vote
from relex.labels import RELATIONS
from relex.model.ensemble import Vote
from tests.factories import example

MEMBERS, ROWS, LABELS = 3, 40, 5


def softmax(scores):
    exponentials = [math.exp(score - max(scores)) for score in scores]
    return [each / sum(exponentials) for each in exponentials]


@pytest.fixture
def members():
    logits = np.random.default_rng(5).normal(0, 3, (MEMBERS, ROWS, LABELS))
    return np.array([[softmax(row) for row in member] for member in logits.tolist()])


def test_soft_vote_is_the_mean_probability(members):
    result = vote(members, Vote.SOFT)
    for row in range(ROWS):
        for label in range(LABELS):
            assert result[row, label] == pytest.approx(sum(member[row, label] for member in members) / MEMBERS)


def test_logit_votes_forget_what_softmax_forgets(members):
    """The logits behind the probabilities are moved by another constant in each row, as nobody can see."""
    weights = np.array([0.1, 0.2, 0.7])
    for how, share in ((Vote.LOGITS, [1 / 3] * 3), (Vote.WEIGHTED, weights)):
        result = vote(members, how, weights)
        for row in range(ROWS):
            logits = [[math.log(p) + 7 * row + number for p in member[row]] for number, member in enumerate(members)]
            together = [sum(w * each[label] for w, each in zip(share, logits, strict=True)) for label in range(LABELS)]
            assert result[row].tolist() == pytest.approx(softmax(together))


def test_hard_vote_is_the_majority_and_a_tie_goes_to_the_soft_vote(members):
    result = vote(members, Vote.HARD)
    assert result.sum(axis=1) == pytest.approx(np.ones(ROWS))
    ties = 0
    for row in range(ROWS):
        votes = Counter(int(member[row].argmax()) for member in members)
        most = max(votes.values())
        leading = [label for label in range(LABELS) if votes[label] == most]
        ties += len(leading) > 1
        assert result[row].argmax() == max(leading, key=lambda label: members[:, row, label].sum())
    assert 0 < ties < ROWS


def test_a_probability_of_zero_is_a_veto_and_no_accident():
    members = np.array([[[1.0, 0.0]], [[0.4, 0.6]]])
    for how in Vote:
        result = vote(members, how, np.array([0.5, 0.5]))
        assert np.isfinite(result).all()
        assert result[0].argmax() == 0


def test_fitted_weights_beat_every_grid_point(members):
    generator = np.random.default_rng(6)
    gold = [int(generator.choice(LABELS, p=row)) for row in 0.2 * members[0] + 0.8 * members[2]]

    def cross_entropy(weights):
        result = vote(members, Vote.WEIGHTED, np.array(weights))
        return -np.log(result[np.arange(ROWS), gold]).mean()

    found = fitted_weights(members, gold)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1)
    grid = [(a / 20, b / 20, (20 - a - b) / 20) for a in range(21) for b in range(21 - a)]
    assert cross_entropy(found) <= min(map(cross_entropy, grid)) + 1e-9


def test_a_member_that_knows_everything_gets_all_the_weight(members):
    gold = members[1].argmax(axis=1).tolist()
    certain = np.array([members[0], np.eye(LABELS)[gold] * 0.99 + 0.002, members[2]])
    assert fitted_weights(certain, gold).round(3).tolist() == [0, 1, 0]


def test_weights_are_evaluated_on_rows_that_they_were_not_fitted_on(members):
    """A row's own label has no say in how it is scores_of on: turning it turns rows of the other half alone."""
    gold = members[0].argmax(axis=1).tolist()
    before = cross_fitted(members, gold)
    assert before.sum(axis=1) == pytest.approx(np.ones(ROWS))
    for row in range(0, ROWS, 7):
        turned = [*gold]
        turned[row] = (gold[row] + 1) % LABELS
        after = cross_fitted(members, turned)
        assert (after[row] == before[row]).all()
        assert (after != before).any()


def test_members_are_brought_into_one_label_order():
    turned = stacked([(np.array([[0.7, 0.3]]), ("a", "b")), (np.array([[0.6, 0.4]]), ("b", "a"))], ("a", "b"))
    assert turned.tolist() == [[[0.7, 0.3]], [[0.4, 0.6]]]


def test_a_ensemble_report_evaluates_members_and_votes_on_the_same_rows():
    generator = np.random.default_rng(7)
    gold = [RELATIONS[number] for number in generator.integers(3, size=60)]
    one, other = (generator.dirichlet(np.full(30, 0.1), 60) for _ in range(2))
    right = np.eye(30)[[RELATIONS.index(label) for label in gold]]
    members = np.stack([(one + right) / 2, (other + right) / 2])
    found = evaluate_stacked_votes(("one@1", "other@1"), members, gold, RELATIONS)
    assert {each.vote for each in found.votes} == {*Vote}
    places = [RELATIONS.index(label) for label in gold]
    for each in found.votes:
        weighted = each.vote is Vote.WEIGHTED
        assert (each.weights is None) is not weighted
        result = cross_fitted(members, places) if weighted else vote(members, each.vote)
        predicted = [RELATIONS[place] for place in result.argmax(axis=1)]
        assert each.headline.micro_f1.value == micro_f1(gold, predicted)
    examples = [example(row, label) for row, label in enumerate(gold)]
    turned = [Prediction(row, "unused", tuple(values[::-1])) for row, values in enumerate(members[1].tolist())]
    straight = [Prediction(row, "unused", tuple(values)) for row, values in enumerate(members[0].tolist())]
    again = evaluate_votes(examples, [("one@1", straight, RELATIONS), ("other@1", turned, RELATIONS[::-1])])
    assert again == found


def test_a_vote_that_loses_to_a_member_has_a_caveat():
    gold = [RELATIONS[1], RELATIONS[2]]
    right = np.eye(30)[[1, 2]]
    wrong = np.eye(30)[[2, 1]]
    found = evaluate_stacked_votes(("good@1", "bad@1", "bad@2"), np.stack([right, wrong, wrong]), gold, RELATIONS)
    assert found.caveat("soft", "a.csv") == "no better on a.csv than its member good@1: micro-F1 0.00 against 100.00"
    better = evaluate_stacked_votes(("a@1", "b@1"), np.stack([right * 0.6 + 0.01, right * 0.6 + 0.01]), gold, RELATIONS)
    assert better.caveat("soft", "a.csv") is not None  # being as good as a member does not justify loading two
