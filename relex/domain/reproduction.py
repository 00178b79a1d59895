"""Predictions that were scored again: whether their bits are the same, and what has changed since."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import pack

from relex.domain.examples import Prediction, RowResult


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A prediction of a job, and what it was scored with."""

    id: str
    prediction: Prediction
    environment: Mapping[str, str] | None
    """What scored it; None if that is not known."""


@dataclass(frozen=True, slots=True)
class OtherBits:
    """A row whose probabilities are not the same bits as those of its job."""

    id: str
    row_no: int
    label: str
    label_now: str | None
    """None if the row could not be scored this time."""
    difference: float | None
    """The largest difference of a probability; None if there is none to compare."""


@dataclass(frozen=True, slots=True)
class Change:
    """A part of the environment that is not what it was when rows were scored."""

    name: str
    """Such as `device`, `dtype` or `torch`."""
    then: str
    now: str
    rows: int


NOTHING = "-"
"""Stands for a part that an environment does not have."""


def other_bits(row: StoredRow, result: RowResult | None) -> OtherBits | None:
    """Return how a row's result differs from its prediction; None if the label and every bit are the same."""
    then = row.prediction
    if not isinstance(result, Prediction):
        return OtherBits(row.id, then.row_no, then.label, None, None)
    if result.label == then.label and _bits(result.probabilities) == _bits(then.probabilities):
        return None
    pairs = zip(then.probabilities, result.probabilities, strict=False)
    return OtherBits(row.id, then.row_no, then.label, result.label, max(abs(one - other) for one, other in pairs))


def changes(rows: Iterable[StoredRow], now: Mapping[str, str]) -> tuple[Change, ...]:
    """Return what has changed since rows were scored; those of which nothing is known are left out."""
    counts = Counter(
        (name, row.environment.get(name, NOTHING), now.get(name, NOTHING))
        for row in rows
        if row.environment is not None
        for name in {**row.environment, **now}
    )
    return tuple(Change(*parts, rows) for parts, rows in counts.items() if parts[1] != parts[2])


def _bits(probabilities: Sequence[float]) -> bytes:
    """Return the numbers as the bits of 32-bit floats, as Postgres keeps them."""
    return pack(f"{len(probabilities)}f", *probabilities)
