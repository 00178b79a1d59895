"""How several models' probabilities become one prediction, and how much each model's word should weigh.

Written p_m(l) for member m's probability of label l; logits are known only up to a constant a row, which softmax does
not see, so log p_m stands for them.

- soft: the mean of p_m
- logits: softmax of the mean of log p_m
- weighted: softmax of the sum of w_m log p_m, the weights none below 0 and 1 in all
- hard: each member has one vote for its most probable label, and the soft vote is one more that is shared out among the
  labels: it breaks ties and can never turn a majority
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from relex.model.ensemble import Vote

Probabilities = NDArray[np.floating]
"""Shape: [rows, labels]. As in `metrics`, which would wake pandas and scikit-learn in every scoring worker."""
MemberProbabilities = NDArray[np.floating]
"""Shape: [members, rows, labels], all in one label order."""
Weights = NDArray[np.float64]
"""Shape: [members]."""

SMALLEST = float(np.finfo(np.float32).tiny)
"""A probability that fell to 0 counts as this much, so that its log is a number."""


def stacked(found: Sequence[tuple[Probabilities, Sequence[str]]], labels: Sequence[str]) -> MemberProbabilities:
    """Members' probabilities in one label order.

    Args:
        found: of each member, and the order of its labels. Shape of one: [rows, labels]
        labels: the order that holds for all.
    """
    return np.stack([each[:, [list(order).index(label) for label in labels]] for each, order in found])


def vote(members: MemberProbabilities, how: Vote, weights: Weights | None = None) -> Probabilities:
    """What the members say together.

    Args:
        members: their probabilities.
        how: the kind of vote.
        weights: one a member, for the weighted vote.

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
    """The weights with which the weighted vote's mean cross entropy on these rows is lowest.

    A convex problem with one answer, unless members are the same.

    Args:
        members: their probabilities.
        gold: each row's label, by its place.
    """
    logs = _logs(members)
    of_gold = logs[:, np.arange(len(gold)), gold]

    def cross_entropy(weights: Weights) -> tuple[float, Weights]:
        voted = log_softmax(np.tensordot(weights, logs, axes=1), axis=-1)
        expected = (np.exp(voted) * logs).sum(axis=-1)
        return float(-voted[np.arange(len(gold)), gold].mean()), (expected - of_gold).mean(axis=1)

    count = len(members)
    found = minimize(
        cross_entropy,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like},
    )
    weights: Weights = np.clip(found.x, 0.0, 1.0)
    weights /= weights.sum()
    return weights


def cross_fitted(members: MemberProbabilities, gold: Sequence[int]) -> Probabilities:
    """The weighted vote, each half of the rows by weights fitted on the other half.

    So it tells what fitted weights are worth on rows that they were not fitted on. Shape: [rows, labels]
    """
    rows = len(gold)
    half = np.random.default_rng(0).permutation(rows) % 2 == 0
    voted = np.empty(members.shape[1:])
    for judged, fitted in ((half, ~half), (~half, half)):
        weights = fitted_weights(
            members[:, fitted], [place for place, taken in zip(gold, fitted, strict=True) if taken]
        )
        voted[judged] = vote(members[:, judged], Vote.WEIGHTED, weights)
    return voted


def _soft(members: MemberProbabilities) -> Probabilities:
    mean: Probabilities = members.mean(axis=0)
    return mean


def _hard(members: MemberProbabilities) -> Probabilities:
    votes = np.eye(members.shape[-1])[members.argmax(axis=-1)].sum(axis=0)
    shares: Probabilities = (votes + _soft(members)) / (len(members) + 1)
    return shares


def _of_logits(members: MemberProbabilities, weights: Weights) -> Probabilities:
    voted: Probabilities = softmax(np.tensordot(weights, _logs(members), axes=1), axis=-1)
    return voted


def _logs(members: MemberProbabilities) -> MemberProbabilities:
    logs: MemberProbabilities = np.log(np.maximum(members.astype(np.float64), SMALLEST))
    return logs
