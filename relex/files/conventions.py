"""Conventions that a file does not state: the majority of its rows decides them, and the other rows are rejected."""

from collections import Counter
from dataclasses import dataclass, field

from relex.errors import counted, did_you_mean, quoted
from relex.labels import RELATIONS

LONGEST_PLACEHOLDER = 100
MAX_LABELS = 1_000
"""Unknown labels that are counted: more different ones are no placeholder."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """How the cells of a file are meant."""

    placeholder: str | None = None
    """The label, no relation, that means "no gold label"."""
    end_exclusive: bool = False
    """Whether `end_idx` is the place behind the word."""


@dataclass(slots=True)
class Votes:
    """What the rows of a file, read under some conventions, say about those conventions."""

    rows: int = 0
    """Rows that have a label column's cell, be it empty."""
    labels: Counter[str] = field(default_factory=Counter)
    """Labels that are no relation."""
    placed: int = 0
    """Entity cells whose offsets cut their word out."""
    misplaced: int = 0
    """Entity cells that would be right if `end_idx` were meant the other way."""
    composed: int = 0
    """Rows with text that was not in NFC."""

    def label(self, cell: str) -> None:
        """Count the label of one row."""
        self.rows += 1
        if not cell or cell in RELATIONS or len(cell) > LONGEST_PLACEHOLDER:
            return
        if cell in self.labels or len(self.labels) < MAX_LABELS:
            self.labels[cell] += 1

    def conventions(self, given: Conventions) -> Conventions:
        """Those of the majority; `given` are the ones under which the rows were read."""
        label, times = next(iter(self.labels.most_common(1)), ("", 0))
        return Conventions(
            placeholder=label if 2 * times > self.rows and not did_you_mean(label, RELATIONS) else None,
            end_exclusive=given.end_exclusive != (self.misplaced > self.placed),
        )

    def notes(self, conventions: Conventions, column: str) -> list[str]:
        """What a person should know of how the file was read."""
        notes = []
        if conventions.placeholder is not None:
            times = self.labels[conventions.placeholder]
            where = "every row" if times == self.rows else f"{times:,} of {self.rows:,} rows"
            label = conventions.placeholder
            notes.append(f'column {column} holds {quoted(label)} in {where}: treated as "no gold labels"')
        if conventions.end_exclusive:
            notes.append("end_idx is exclusive in this file (the place behind the word): read as such")
        if self.composed:
            rows = counted(self.composed, "row")
            notes.append(f"decomposed text (NFD, as macOS writes it) in {rows}: composed (NFC), offsets moved along")
        return notes
