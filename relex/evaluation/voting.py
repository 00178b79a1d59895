"""Votes: how the probabilities of several models become one prediction, and how the members are weighted.

p_m(l) is member m's probability of label l. Logits are known only up to a constant per row, which softmax ignores, so
log p_m stands for them.

- soft: the mean of p_m
- logits: softmax of the mean of log p_m
- weighted: softmax of the sum of w_m log p_m, where no weight is negative and all sum to 1
- hard: each member has one vote for its most probable label, and the soft vote is one more, shared among the labels: it
  breaks ties and can never overturn a majority
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from relex.model.ensemble import Vote

Probabilities = NDArray[np.floating]
"""Shape: [rows, labels]. As in `metrics`, which would import pandas and scikit-learn in every scoring worker."""
MemberProbabilities = NDArray[np.floating]
"""Shape: [members, rows, labels], all in one label order."""
Weights = NDArray[np.float64]
"""Shape: [members]."""

MIN_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Floor of a probability, so that the log of 0 is a number."""


def stacked(probabilities: Sequence[tuple[Probabilities, Sequence[str]]], labels: Sequence[str]) -> MemberProbabilities:
    """Stack the probabilities of several members in one label order.

    Args:
        probabilities: those of each member, and the order of its labels. Shape of one: [rows, labels]
        labels: the label order of the result.
    """
    return np.stack([each[:, [list(order).index(label) for label in labels]] for each, order in probabilities])


def vote(members: MemberProbabilities, how: Vote, weights: Weights | None = None) -> Probabilities:
    """Combine the members' probabilities.

    Args:
        members: the members' probabilities.
        how: the kind of vote.
        weights: the weight of each member, for the weighted vote.

    Returns:
        Shape: [rows, labels]. Each row sums to 1.
    """
    match how:
        case Vote.SOFT:
            return _soft(members)
        case Vote.LOGITS:
            return _of_logits(members, np.full(len(members), 1 / len(members)))
        case Vote.WEIGHTED:
            return _of_logits(members, np.asarray(weights))
        case Vote.HARD:
            return _hard(members)


def fitted_weights(members: MemberProbabilities, gold: Sequence[int]) -> Weights:
    """Fit the weights that minimize the weighted vote's mean cross entropy on these rows.

    The problem is convex and has one solution, unless members are equal.

    Args:
        members: the members' probabilities.
        gold: the index of each row's label.
    """
    logs = _logs(members)
    of_gold = logs[:, np.arange(len(gold)), gold]

    def cross_entropy(weights: Weights) -> tuple[float, Weights]:
        log_vote = log_softmax(np.tensordot(weights, logs, axes=1), axis=-1)
        expected = (np.exp(log_vote) * logs).sum(axis=-1)
        return float(-log_vote[np.arange(len(gold)), gold].mean()), (expected - of_gold).mean(axis=1)

    count = len(members)
    solution = minimize(
        cross_entropy,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like},
    )
    weights: Weights = np.clip(solution.x, 0.0, 1.0)
    weights /= weights.sum()
    return weights


def cross_fitted(members: MemberProbabilities, gold: Sequence[int]) -> Probabilities:
    """Compute the weighted vote of each half of the rows by weights fitted on the other half.

    The scores of the result show what the weights are worth on rows that they were not fitted on.
    Shape: [rows, labels]
    """
    rows = len(gold)
    half = np.random.default_rng(0).permutation(rows) % 2 == 0
    probabilities = np.empty(members.shape[1:])
    for held_out, fitted in ((half, ~half), (~half, half)):
        weights = fitted_weights(
            members[:, fitted], [label for label, is_used in zip(gold, fitted, strict=True) if is_used]
        )
        probabilities[held_out] = vote(members[:, held_out], Vote.WEIGHTED, weights)
    return probabilities


def _soft(members: MemberProbabilities) -> Probabilities:
    mean: Probabilities = members.mean(axis=0)
    return mean


def _hard(members: MemberProbabilities) -> Probabilities:
    votes = np.eye(members.shape[-1])[members.argmax(axis=-1)].sum(axis=0)
    shares: Probabilities = (votes + _soft(members)) / (len(members) + 1)
    return shares


def _of_logits(members: MemberProbabilities, weights: Weights) -> Probabilities:
    combined: Probabilities = softmax(np.tensordot(weights, _logs(members), axes=1), axis=-1)
    return combined


def _logs(members: MemberProbabilities) -> MemberProbabilities:
    logs: MemberProbabilities = np.log(np.maximum(members.astype(np.float64), MIN_PROBABILITY))
    return logs
