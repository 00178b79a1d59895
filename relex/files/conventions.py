"""Conventions that a file does not state: the majority of rows decides, and the other rows are rejected."""

from collections import Counter
from dataclasses import dataclass, field

from relex.errors import counted, did_you_mean, quoted
from relex.labels import RELATIONS

MAX_PLACEHOLDER_CHARS = 100
MAX_LABELS = 1_000
"""Maximum number of distinct unknown labels that are counted; a file with more has no placeholder."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """How the cells of a file are read."""

    placeholder: str | None = None
    """The label that is not a relation and means "no gold label"; None if there is none."""
    end_exclusive: bool = False
    """Whether `end_idx` is the position after the word."""


@dataclass(slots=True)
class Votes:
    """Counts of rows that agree or disagree with the conventions under which they were read."""

    rows: int = 0
    """Rows that have a label cell, empty ones included."""
    labels: Counter[str] = field(default_factory=Counter)
    """Labels that are not a relation."""
    placed: int = 0
    """Entity cells whose offsets match their word."""
    misplaced: int = 0
    """Entity cells that would be valid if `end_idx` were read the other way."""
    composed: int = 0
    """Rows whose text was not in NFC."""

    def add_label(self, cell: str) -> None:
        """Count the label of one row."""
        self.rows += 1
        if not cell or cell in RELATIONS or len(cell) > MAX_PLACEHOLDER_CHARS:
            return
        if cell in self.labels or len(self.labels) < MAX_LABELS:
            self.labels[cell] += 1

    def conventions(self, current: Conventions) -> Conventions:
        """Return the conventions of the majority; `current` are those under which the rows were read."""
        label, times = next(iter(self.labels.most_common(1)), ("", 0))
        return Conventions(
            placeholder=label if 2 * times > self.rows and not did_you_mean(label, RELATIONS) else None,
            end_exclusive=current.end_exclusive != (self.misplaced > self.placed),
        )

    def notes(self, conventions: Conventions, column: str) -> list[str]:
        """Return what the user should know about how the file was read."""
        notes = []
        if conventions.placeholder is not None:
            times = self.labels[conventions.placeholder]
            where = "every row" if times == self.rows else f"{times:,} of {self.rows:,} rows"
            label = conventions.placeholder
            notes.append(f'column {column} holds {quoted(label)} in {where}: treated as "no gold labels"')
        if conventions.end_exclusive:
            notes.append("end_idx is exclusive in this file (the position after the word)")
        if self.composed:
            rows = counted(self.composed, "row")
            notes.append(f"decomposed text (NFD, as macOS writes it) in {rows}: composed (NFC), offsets adjusted")
        return notes
