"""Accepting the rows of a job whose share of errors is promised to stay below a bound."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from relex.domain.drift import Level
from relex.errors import InvalidInput
from relex.hints import jobs as hints

CONFIDENCE = 0.95
"""Probability that a promise holds."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold of the highest probability, and what is promised of the rows above it."""

    max_error: float
    """The promised share of wrong rows among the accepted ones."""
    threshold: float
    """Rows of at least this highest probability are accepted."""
    bound: float
    """Upper bound of their share of wrong rows, at the level of 95 % with the other steps of the search."""
    coverage: float
    """Share of the (weighted) validation rows that would be accepted."""
    effective_rows: float
    """Number of equally weighted validation rows that the promise rests on."""
    weighted: bool
    """Whether the validation rows were weighted to the job's type pairs and sources."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is promised of the accepted rows of one job, how many they are, and what the promise rests on."""

    promise: Promise
    rows: int
    """Number of rows of the job with a prediction."""
    accepted: int
    """Number of them that are accepted."""
    drift: Level
    validation_rows: int
    validation_sha256: str
    out_of_fold: bool
    """Whether each validation row was predicted by models that were not trained or chosen on it."""

    @property
    def share(self) -> float:
        """The share of the rows that are accepted, x100."""
        return 100 * self.accepted / self.rows if self.rows else 0.0

    def to_data(self) -> Mapping[str, Any]:
        """Return plain data for a manifest."""
        return {**asdict(self), "promise": {**asdict(self.promise), "confidence": CONFIDENCE}, "share": self.share}


def parse_max_error(text: str) -> float:
    """Parse `10%`, `2.5%` or a share such as `0.1`.

    Raises:
        InvalidInput: it is neither, or not between 0 and 1.
    """
    match = re.fullmatch(r"(\d{1,2}(?:\.\d{1,6})?)%|(0?\.\d{1,6})", text, re.ASCII)
    share = 0.0 if match is None else float(match[1]) / 100 if match[1] else float(match[2])
    if not share:
        raise InvalidInput(f"'{text}' is not a share of wrong rows: write a percentage, {hints.max_error()}")
    return share
