"""Fitting a calibration: isotonic curves from a model's probabilities on labeled rows to what they meant there.

Isotonic regression on the highest probability calibrates this kind of model better than a temperature, which improves
the likelihood and worsens the error of the confidence. The curves for the estimate without labels follow the same idea
as average thresholded confidence (Garg et al. 2022) with regression in place of a threshold.
"""

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from relex.domain.calibration import MAX_KNOTS, Bucket, Calibration, Curve, Profile, ScoredRows, ValidationRows
from relex.domain.examples import Example, Prediction
from relex.domain.mix import OTHER_SOURCES, length, source, type_pair, type_pair_and_source
from relex.evaluation.calibration_card import MIN_ROWS, require_rows
from relex.evaluation.metrics import Probabilities, micro_f1
from relex.evaluation.voting import stacked, vote
from relex.labels import NO_RELATION
from relex.model.ensemble import Vote

REPLICATES = 50
"""Number of bootstrap resamples on which each curve is fitted again."""
SAMPLE_ROWS = 500
"""Maximum number of validation rows whose probabilities are kept for the two-sample test."""
MAX_SOURCES = 50
"""Maximum number of sources that a profile names."""
DIGITS = 5
"""Decimal places of everything that is kept."""

Values = NDArray[np.float64]
"""Shape: [rows]."""


def fit_calibration(  # noqa: PLR0913 - keyword-friendly facts of one model and one file
    examples: Sequence[Example],
    probabilities: Probabilities,
    labels: Sequence[str],
    train: Sequence[Example],
    data_sha256: str,
    *,
    out_of_fold: bool = False,
    seed: int = 0,
) -> Calibration:
    """Fit the calibration of a model from its predictions on labeled rows.

    Args:
        examples: labeled rows that the model was not trained on.
        probabilities: its probabilities for them. Shape: [rows, labels]
        labels: the labels in the order of the probabilities.
        train: the rows that it was trained on.
        data_sha256: digest of the file of the labeled rows.
        out_of_fold: whether the predictions are out-of-fold.
        seed: seed of the bootstrap and of the sample.
    """
    gold = np.array([str(example.label) for example in examples])
    predicted = np.array(labels)[probabilities.argmax(axis=1)]
    confidence, right = probabilities.max(axis=1).astype(float), predicted == gold
    relation = predicted != NO_RELATION
    none = probabilities[:, list(labels).index(NO_RELATION)].astype(float)
    return Calibration(
        data_sha256=data_sha256,
        out_of_fold=out_of_fold,
        accuracy=100 * float(right.mean()),
        micro_f1=micro_f1(gold.tolist(), predicted.tolist()),
        confidence=fit_curve(confidence, right, seed),
        relation=fit_curve(confidence[relation], right[relation], seed),
        no_relation=fit_curve(none, gold == NO_RELATION, seed),
        validation=_rows(examples, confidence, right),
        trained=profile(train),
        validated=profile(examples, predicted.tolist()),
        sample=_sample(probabilities, seed),
    )


def calibrated(
    examples: Sequence[Example],
    probabilities: Probabilities,
    labels: Sequence[str],
    train: Sequence[Example],
    data_sha256: str,
    *,
    out_of_fold: bool = False,
) -> Calibration | None:
    """Fit a calibration as `fit_calibration` does; None if the rows are fewer than `MIN_ROWS`."""
    if len(examples) < MIN_ROWS:
        return None
    return fit_calibration(examples, probabilities, labels, train, data_sha256, out_of_fold=out_of_fold)


def calibrate_predictions(
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    labels: Sequence[str],
    data_sha256: str,
    trained: Profile | None,
) -> Calibration:
    """Fit a calibration from stored predictions, one for each example in their order.

    Args:
        examples: labeled rows that the model was not trained on.
        predictions: its predictions for them.
        labels: the labels in the order of the probabilities.
        data_sha256: digest of the file of the labeled rows.
        trained: the profile of its training rows, if it is known.

    Raises:
        InvalidInput: the rows are fewer than `MIN_ROWS`.
    """
    require_rows(len(examples))
    probabilities = np.array([each.probabilities for each in predictions])
    calibration = fit_calibration(examples, probabilities, labels, [], data_sha256)
    return replace(calibration, trained=trained) if trained else calibration


def calibrate_vote(
    examples: Sequence[Example],
    members: Sequence[tuple[Sequence[Prediction], Sequence[str]]],
    how: Vote,
    weights: Sequence[float] | None,
    data_sha256: str,
) -> Calibration | None:
    """Fit a calibration of an ensemble from the predictions of its members; None if the rows are fewer than `MIN_ROWS`.

    Args:
        examples: labeled rows that no member was trained on.
        members: the predictions of each member, one for each example, and the order of its labels.
        how: the kind of vote.
        weights: the weight of each member, for the weighted vote.
        data_sha256: digest of the file of the labeled rows.
    """
    labels = members[0][1]
    arrays = [(np.array([each.probabilities for each in predictions]), order) for predictions, order in members]
    probabilities = vote(stacked(arrays, labels), how, None if weights is None else np.array(weights))
    return calibrated(examples, probabilities, labels, [], data_sha256)


def fit_curve(probability: Values, right: NDArray[np.bool_], seed: int = 0) -> Curve:
    """Fit a rising curve by isotonic regression, and again on `REPLICATES` resamples of the rows.

    The knots are quantiles of the probabilities, so that each piece rests on about the same number of rows. Without any
    row the curve is the diagonal: the probabilities are believed.
    """
    if not len(probability):
        return Curve((0.0, 1.0), (0.0, 1.0), ((0.0, 1.0),))
    knots = np.unique(np.round(np.quantile(probability, np.linspace(0, 1, MAX_KNOTS)), DIGITS))
    draw = np.random.default_rng(seed)
    resamples = [draw.integers(len(right), size=len(right)) for _ in range(REPLICATES)]
    replicates = tuple(_isotonic(probability[rows], right[rows], knots) for rows in resamples)
    return Curve(tuple(knots.tolist()), _isotonic(probability, right, knots), replicates)


def _isotonic(probability: Values, right: NDArray[np.bool_], knots: Values) -> tuple[float, ...]:
    """Return the isotonic regression at the knots, smoothed over the rows around each one.

    The regression is a step function. The value at a knot is its mean over the halves of both neighbouring pieces, so
    that the linear pieces have the same sum over the rows as the steps, but for rounding.
    """
    steps = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(probability, right)
    edges = np.concatenate((knots[:1], (knots[1:] + knots[:-1]) / 2, knots[-1:]))
    fitted = steps.predict(probability)
    order = np.argsort(probability, kind="stable")
    sums = np.concatenate(([0.0], np.cumsum(fitted[order])))
    at = np.searchsorted(probability[order], edges, "left")
    at[-1] = len(order)
    rows = np.diff(at)
    means = np.where(rows > 0, np.diff(sums[at]) / np.maximum(rows, 1), steps.predict(knots))
    rising: list[float] = np.round(np.maximum.accumulate(means), DIGITS).tolist()
    return tuple(rising)


def scored_rows(calibration: Calibration, probabilities: Probabilities, labels: Sequence[str]) -> ScoredRows:
    """Count predictions in the buckets of a calibration's curves, as the database does it for a job."""
    relation = probabilities.argmax(axis=1) != list(labels).index(NO_RELATION)
    confidence = probabilities.max(axis=1)
    none = probabilities[:, list(labels).index(NO_RELATION)]
    return ScoredRows(
        rows=len(probabilities),
        relations=int(relation.sum()),
        confidence=_buckets(calibration.confidence, confidence),
        relation=_buckets(calibration.relation, confidence[relation]),
        no_relation=_buckets(calibration.no_relation, none),
    )


def _buckets(curve: Curve, probability: NDArray[np.floating]) -> tuple[Bucket, ...]:
    index = np.searchsorted(np.array(curve.knots), probability, "right")
    count = len(curve.knots) + 1
    rows = np.bincount(index, minlength=count)
    totals = np.bincount(index, weights=probability, minlength=count)
    return tuple(Bucket(int(number), float(total)) for number, total in zip(rows, totals, strict=True))


def profile(examples: Sequence[Example], predicted: Sequence[str] = ()) -> Profile:
    """Count rows by category."""
    return Profile(
        rows=len(examples),
        type_pairs=dict(Counter(map(type_pair, examples)).most_common()),
        sources=_common(Counter(map(source, examples))),
        lengths=dict(Counter(length(len(example.sentence)) for example in examples).most_common()),
        labels=dict(Counter(str(example.label) for example in examples).most_common()),
        predicted=dict(Counter(predicted).most_common()),
    )


def _common(sources: Counter[str]) -> dict[str, int]:
    """Return the most common sources and the sum of all others."""
    common = dict(sources.most_common(MAX_SOURCES))
    rest = sources.total() - sum(common.values())
    return common | ({OTHER_SOURCES: rest} if rest else {})


def _rows(examples: Sequence[Example], confidence: Values, right: NDArray[np.bool_]) -> ValidationRows:
    names = [type_pair_and_source(example) for example in examples]
    categories = sorted(set(names))
    position = {name: index for index, name in enumerate(categories)}
    order = np.argsort(-confidence, kind="stable").tolist()
    return ValidationRows(
        confidence=tuple(round(float(confidence[row]), DIGITS) for row in order),
        right=tuple(bool(right[row]) for row in order),
        category=tuple(position[names[row]] for row in order),
        categories=tuple(categories),
    )


def _sample(probabilities: Probabilities, seed: int) -> str:
    rows = np.random.default_rng(seed).permutation(len(probabilities))[:SAMPLE_ROWS]
    return base64.b64encode(log_probabilities(probabilities[np.sort(rows)]).astype("<f2").tobytes()).decode()


def log_probabilities(probabilities: Probabilities) -> NDArray[np.floating]:
    """Return the logarithms, of at least a millionth."""
    logarithms: NDArray[np.floating] = np.log(np.maximum(probabilities, 1e-6))
    return logarithms
