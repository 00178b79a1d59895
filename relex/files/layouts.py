"""Layouts of results: which columns a file of results has, and what the cell of each is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from relex.domain.results import Result

PRED_LABEL, PROBS = "pred_label", "probs"
CUSTOM_ID = "custom_id"
"""Name of the id in JSON Lines, as OpenAI's Batch files have it."""

Cell = str | bool | float | tuple[float, ...] | None
"""A text, a truth value, a number, the probabilities in the model's order, or nothing."""


class Layout(StrEnum):
    """A layout of results."""

    SUBMISSION = "submission"
    """The id, the predicted label, and the probabilities in one cell."""
    REVIEW = "review"
    """All columns of the input, then what a person needs to look through the predictions."""
    WIDE = "wide"
    """The id, the predicted label, and a column of probabilities for each label."""


class Format(StrEnum):
    """A format of files of results."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    XLSX = "xlsx"

    @property
    def is_text(self) -> bool:
        """Whether a terminal can show such a file."""
        return self in (Format.CSV, Format.JSONL)


class Kind(StrEnum):
    """The kind of cells that a column holds."""

    TEXT = "text"
    NUMBER = "number"
    PROBABILITIES = "probabilities"
    FLAG = "flag"


class Column(NamedTuple):
    """A column of a file of results."""

    name: str
    value: Callable[[Result], Cell]
    kind: Kind = Kind.TEXT


ID = Column("id", lambda result: result.id)
BATCH_ID = Column(CUSTOM_ID, lambda result: result.id)
LABEL = Column(PRED_LABEL, lambda result: result.label)
PROBABILITIES = Column(PROBS, lambda result: result.probabilities, Kind.PROBABILITIES)
SECOND_LABEL = Column("second_label", lambda result: result.second_label)
REVIEW = (
    LABEL,
    Column("confidence", lambda result: result.confidence, Kind.NUMBER),
    SECOND_LABEL,
    Column("margin", lambda result: result.margin, Kind.NUMBER),
    Column("flags", lambda result: " ".join(result.flags)),
)
"""Columns of a review behind those of the input."""
ACCEPTED = Column("accepted", lambda result: result.accepted, Kind.FLAG)
"""Column of a review that says which rows are accepted at a promised error."""
INVERSE_LABEL = Column("inverse_label", lambda result: result.inverse_label)
"""Column of a review that has the label of each inverse pair."""
PREDICTED_LABELS = (LABEL, SECOND_LABEL, INVERSE_LABEL)
"""Columns that hold one of the model's labels."""


def columns_of(
    layout: Layout, labels: Sequence[str], inputs: Sequence[str] = (), trailing: int = 0, more: Sequence[Column] = ()
) -> list[Column]:
    """Return the columns of a layout.

    Args:
        layout: the layout.
        labels: the labels in the order of the probabilities.
        inputs: names of the input's columns, for a review.
        trailing: number of the last of them that stand behind the prediction.
        more: more columns about the prediction, for a review.
    """
    if layout is Layout.REVIEW:
        own = [*REVIEW, *more]
        columns = [_input(name, index) for index, name in enumerate(distinct_names(inputs, more))]
        before = len(columns) - trailing
        return [*columns[:before], *own, *columns[before:]]
    if layout is Layout.WIDE:
        return [ID, LABEL, *(_probability(label, index) for index, label in enumerate(labels))]
    return [ID, LABEL, PROBABILITIES]


def distinct_names(inputs: Sequence[str], more: Sequence[Column] = ()) -> list[str]:
    """Return the names of the input's columns in a review.

    A name that one of relex's own columns or an earlier one has, as in the review of a review, gets `input_` before it.
    """
    own = [CUSTOM_ID, *(column.name for column in (*REVIEW, *more))]
    names = list(own)
    for name in inputs:
        distinct = name
        while distinct in names:
            distinct = f"input_{distinct}"
        names.append(distinct)
    return names[len(own) :]


def _input(name: str, index: int) -> Column:
    return Column(name, lambda result: result.inputs[index])


def _probability(label: str, index: int) -> Column:
    return Column(label, lambda result: result.probabilities[index] if result.probabilities else None, Kind.NUMBER)


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Results on their way into a file; `results` is iterated over once."""

    layout: Layout
    labels: Sequence[str]
    """Labels in the order of the probabilities."""
    inputs: Sequence[str]
    """Names of the input's columns, for a review."""
    rows: int
    """Number of results."""
    results: Iterable[Result]
    origin: Mapping[str, str]
    """Where the results come from, for formats that hold such facts."""
    created_at: datetime
    """Time that a workbook states, so that the same results make the same bytes."""
    trailing: int = 0
    """Number of the last inputs that stand behind the prediction."""
    with_accepted: bool = False
    """Whether a review says which rows are accepted."""
    with_inverse: bool = False
    """Whether a review has the labels of the inverse pairs."""
    answers: str = ""
    """Name of the input that a person fills in with a label; empty if there is none."""

    @property
    def columns(self) -> list[Column]:
        """The columns of the layout."""
        return self.columns_as(self.layout)

    def columns_as(self, layout: Layout) -> list[Column]:
        """Return the columns of the same results in another layout."""
        more = [*[INVERSE_LABEL] * self.with_inverse, *[ACCEPTED] * self.with_accepted]
        return columns_of(layout, self.labels, self.inputs, self.trailing, more)


def cell_text(cell: Cell) -> str | float | None:
    """Return a cell as a format without lists and truth values holds it."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return probabilities_text(cell) if isinstance(cell, tuple) else cell


def probabilities_text(probabilities: Sequence[float]) -> str:
    """Return probabilities as a JSON list without spaces, as Postgres writes it."""
    return f"[{','.join(map(repr, probabilities))}]"
