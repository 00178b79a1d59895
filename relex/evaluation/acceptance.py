"""Accepting the rows of a job whose error is promised to stay below a bound.

Selection with guaranteed risk (Geifman and El-Yaniv 2017, "Selective Classification for Deep Neural Networks"): a
binary search over thresholds of the confidence, where each step compares a Clopper-Pearson upper bound of the error on
the validation rows with the promised error. The confidence level of 95 % is split over the steps.

Where a job's mix differs from the validation rows', their errors are weighted to the job's type pairs and sources, and
the bound uses the number of equally weighted rows that would be as precise.
"""

from collections.abc import Mapping
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from relex.domain.acceptance import CONFIDENCE, Promise
from relex.domain.calibration import ValidationRows
from relex.errors import RelexError
from relex.evaluation.shift import weigh

DELTA = 1 - CONFIDENCE
"""Probability that the promise may be broken."""
MIN_EFFECTIVE_ROWS = 100
"""Minimum number of equally weighted validation rows that a promise rests on."""


def promise(rows: ValidationRows, max_error: float, target: Mapping[str, int] | None = None) -> Promise:
    """Choose the lowest threshold at which the error is promised to stay below `max_error`.

    Args:
        rows: what is kept of the validation rows.
        max_error: the share of wrong rows that is allowed, between 0 and 1.
        target: the job's rows by type pair and source; None where its mix is that of the validation rows.

    Raises:
        InvalidInput: the validation rows and the job have no category in common.
        RelexError: the rows that the promise could rest on are too few, or no threshold keeps it.
    """
    weights = _weights(rows, target)
    effective = weights.sum() ** 2 / (weights**2).sum()
    if effective < MIN_EFFECTIVE_ROWS:
        raise RelexError(
            f"no error can be promised: weighted to this job's mix, the validation rows have an effective sample size "
            f"of {effective:,.0f}, and a promise needs {MIN_EFFECTIVE_ROWS}"
        )
    choice = _search(np.array(rows.confidence), 1.0 - np.array(rows.right, float), weights, max_error)
    if choice is None:
        raise RelexError(
            f"no threshold keeps the error below {max_error:.0%}: even the most confident rows may break it"
        )
    threshold, bound, accepted = choice
    return Promise(
        max_error=max_error,
        threshold=threshold,
        bound=bound,
        coverage=float(weights[:accepted].sum() / weights.sum()),
        effective_rows=float(weights[:accepted].sum() ** 2 / (weights[:accepted] ** 2).sum()),
        weighted=target is not None,
    )


def _weights(rows: ValidationRows, target: Mapping[str, int] | None) -> NDArray[np.float64]:
    if target is None:
        return np.ones(len(rows.confidence))
    names = [rows.categories[index] for index in rows.category]
    return np.array(weigh(names, target).values)


def _search(
    confidence: NDArray[np.float64], wrong: NDArray[np.float64], weights: NDArray[np.float64], max_error: float
) -> tuple[float, float, int] | None:
    """Return threshold, bound and number of accepted rows; None if no step keeps the error."""
    steps = ceil(log2(len(confidence)))
    level = DELTA / steps
    low, high, choice = 0, len(confidence), None
    for _ in range(steps):
        middle = (low + high) // 2
        # Rows of equal confidence are accepted together.
        count = int(np.searchsorted(-confidence, -confidence[middle], "right"))
        bound = upper_bound(wrong[:count], weights[:count], level)
        if bound <= max_error:
            low, choice = middle, (float(confidence[middle]), bound, count)
        else:
            high = middle
    return choice


def upper_bound(wrong: NDArray[np.float64], weights: NDArray[np.float64], level: float) -> float:
    """Return the Clopper-Pearson upper bound of a weighted error (Clopper and Pearson 1934).

    The weighted error counts as that of the number of equally weighted rows that would be as precise (Kish 1965). With
    equal weights this is the exact bound.
    """
    total = weights.sum()
    if not total:
        return 1.0
    effective = total**2 / (weights**2).sum()
    errors = (weights * wrong).sum() / total * effective
    return float(beta.ppf(1 - level, errors + 1, effective - errors)) if errors < effective else 1.0
