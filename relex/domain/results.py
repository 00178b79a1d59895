"""Results of a job as a person or a program asks for them: which rows, in which order, and what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relex.domain.calibration import Curve
from relex.domain.examples import RowError, RowResult
from relex.labels import contradicts

TRUNCATED, REUSED, CONTRADICTION = "truncated", "reused", "contradiction"
"""Flags of a result; a row without a prediction has the code of its error as a flag."""


DIGITS = 5
"""Decimal places of a calibrated confidence; its curve has no more."""


def confidence(probabilities: Sequence[float], curve: Curve | None = None) -> float:
    """Return how far a prediction may be believed, from 0 to 1.

    That is the share of the validation rows of this highest probability whose label is right, as the curve of the
    model version says; without a curve it is the highest probability itself. Whatever shows a confidence calls this
    function. It only rises with the highest probability, because Postgres filters by that: see
    :func:`minimum_probability`.
    """
    highest = max(probabilities)
    return highest if curve is None else round(curve(highest), DIGITS)


def minimum_probability(minimum_confidence: float, curve: Curve | None = None) -> float:
    """Return the highest probability that a prediction of this :func:`confidence` has at least."""
    return minimum_confidence if curve is None else curve.lowest_with(minimum_confidence)


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of results and their order; without arguments all of them, in the order of the input."""

    labels: tuple[str, ...] = ()
    """Predicted labels to keep; empty for all."""
    min_confidence: float | None = None
    """Minimum :func:`confidence` to keep."""
    by_margin: bool = False
    """Whether the smallest margin comes first; results without a prediction come last."""
    limit: int | None = None
    """Number of results to keep, the first in this order."""
    min_probability: float | None = None
    """Minimum of the highest probability to keep, which is what Postgres filters by: see :meth:`with_curve`."""
    rows: tuple[int, ...] | None = None
    """Row numbers of the results to keep; None for all."""
    accept_from: float | None = None
    """Predictions of at least this highest probability are accepted; None if nothing is said about that."""
    accepted: bool | None = None
    """Keep only the accepted rows, or only all others; None for both."""

    @property
    def filters(self) -> bool:
        """Whether results may be left out; those without a prediction then are, unless `keeps_errors`."""
        return self._chooses or self.accepted is not None

    @property
    def keeps_errors(self) -> bool:
        """Whether results without a prediction are kept: they are never accepted."""
        return not self._chooses and self.accepted is not True

    @property
    def _chooses(self) -> bool:
        choices = (self.min_confidence, self.min_probability, self.limit, self.rows)
        return bool(self.labels) or any(choice is not None for choice in choices)

    def with_curve(self, curve: Curve | None) -> "Selection":
        """Return the selection with its minimum confidence as a minimum of the highest probability."""
        if self.min_confidence is None:
            return self
        return replace(self, min_probability=minimum_probability(self.min_confidence, curve))


ALL_RESULTS = Selection()


@dataclass(frozen=True, slots=True)
class Result:
    """One accepted row with its prediction, or with the code of its error."""

    id: str
    inputs: tuple[str, ...] = ()
    """Cells of the input's columns; empty where they were not asked for."""
    label: str | None = None
    """Predicted label; None for a row that could not be scored."""
    probabilities: tuple[float, ...] = ()
    """One for each label in the model's order; empty for a row that could not be scored."""
    second_label: str | None = None
    """Label of the second highest probability."""
    margin: float | None = None
    """Highest probability less the second highest: a small one is a close decision."""
    flags: tuple[str, ...] = ()
    """What a reader should know: the code of the error, `truncated`, `reused`, `contradiction`."""
    inverse_label: str | None = None
    """Predicted label of the inverse pair, where that was scored."""
    curve: Curve | None = None
    """Calibrates the confidence, where the model version is calibrated."""
    accept_from: float | None = None
    """The least highest probability of an accepted row."""

    @property
    def accepted(self) -> bool | None:
        """Whether the row is accepted; None if nothing is said about that."""
        if self.accept_from is None:
            return None
        return bool(self.probabilities) and max(self.probabilities) >= self.accept_from

    @property
    def confidence(self) -> float | None:
        """The :func:`confidence` of the prediction, if there is one."""
        return confidence(self.probabilities, self.curve) if self.probabilities else None


def flags(
    *,
    error_code: str | None = None,
    truncated: bool = False,
    reused: bool = False,
    label: str | None = None,
    inverse_label: str | None = None,
) -> tuple[str, ...]:
    """Return the flags of a result; `label` and `inverse_label` say whether it contradicts its inverse pair."""
    contradiction = bool(label and inverse_label and contradicts(label, inverse_label))
    marks = {TRUNCATED: truncated, REUSED: reused, CONTRADICTION: contradiction}
    return tuple(filter(None, (error_code, *(mark for mark, holds in marks.items() if holds))))


def result_of(id_: str, result: RowResult, labels: Sequence[str], curve: Curve | None = None) -> Result:
    """Return the result of a scorer with its runner-up; `labels` is the order of the probabilities."""
    if isinstance(result, RowError):
        return Result(id_, flags=flags(error_code=result.code))
    best = labels.index(result.label)
    probabilities = result.probabilities
    second = max((place for place in range(len(labels)) if place != best), key=probabilities.__getitem__)
    return Result(
        id_,
        label=result.label,
        probabilities=probabilities,
        second_label=labels[second],
        margin=probabilities[best] - probabilities[second],
        flags=flags(truncated=result.truncated),
        curve=curve,
    )
