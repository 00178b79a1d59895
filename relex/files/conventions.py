"""Conventions that a file does not state: what its rows show about labels and, in a unit that the user named, ends."""

from collections import Counter
from dataclasses import dataclass, field, replace

from relex.errors import counted, did_you_mean, quoted, shortened
from relex.files.options import OFFSETS, ReadOptions
from relex.labels import RELATIONS

MAX_PLACEHOLDER_CHARS = 100
MAX_LABELS = 1_000
"""Maximum number of distinct unknown labels that are counted; a file with more has no placeholder."""
CHARACTERS = "characters"
OTHER_UNITS = ("one-based", "utf-16", "bytes")
UNITS = (CHARACTERS, *OTHER_UNITS)
"""What offsets count: characters from 0 or from 1, units of UTF-16, or bytes of UTF-8."""
TYPES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Conventions:
    """How the cells of a file are read."""

    placeholder: str | None = None
    """The label that is not a relation and means "no gold label"; None if there is none."""
    end_exclusive: bool = False
    """Whether the end of an entity is the position after the word."""
    end_from_rows: bool = False
    """Whether the rows show which end is meant, because the user named only the unit."""
    unit: str = CHARACTERS
    """One of `UNITS`."""
    first_occurrence: bool = False
    """Whether a word without offsets is its first occurrence where there are several."""

    @classmethod
    def of(cls, options: ReadOptions) -> "Conventions":
        """Return the conventions before any row was read."""
        return cls(
            end_exclusive=options.offsets == "exclusive",
            end_from_rows=options.offsets in OTHER_UNITS,
            unit=options.offsets if options.offsets in UNITS else CHARACTERS,
            first_occurrence=options.occurrence == "first",
        )


@dataclass(slots=True)
class Votes:
    """Counts of rows that agree or disagree with the conventions under which they were read."""

    rows: int = 0
    """Rows that have a label cell, empty ones included."""
    labels: Counter[str] = field(default_factory=Counter)
    """Labels that are not a relation."""
    placed: int = 0
    """Entities whose offsets match their word."""
    mismatched: int = 0
    """Entities whose offsets do not match their word."""
    misplaced: int = 0
    """Of these, those that would be valid if the end were read the other way."""
    fitting: Counter[str] = field(default_factory=Counter)
    """Of these, those that would be valid with this value of `--offsets`."""
    located: int = 0
    """Entities without offsets whose word was found in the sentence."""
    types: dict[str, str] = field(default_factory=dict)
    """Other names of types that occurred, and the types that they were read as."""
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
        """Return the conventions that the rows show; `current` are those under which they were read.

        A label in most rows that is no relation is a placeholder. An end is the other one if all rows agree.
        """
        label, times = next(iter(self.labels.most_common(1)), ("", 0))
        turned = current.end_from_rows and self.misplaced > 0 and not self.placed
        return replace(
            current,
            placeholder=label if 2 * times > self.rows and not did_you_mean(label, RELATIONS) else None,
            end_exclusive=current.end_exclusive != turned,
        )

    def fitting_offsets(self) -> list[str]:
        """Return the values of `--offsets` with which every offset that does not match its word would match it."""
        return [value for value in OFFSETS if 0 < self.fitting[value] == self.mismatched]

    def notes(self, conventions: Conventions, column: str) -> list[str]:
        """Return what the user should know about how the file was read."""
        notes = []
        if conventions.placeholder is not None:
            times = self.labels[conventions.placeholder]
            where = "every row" if times == self.rows else f"{times:,} of {self.rows:,} rows"
            label = conventions.placeholder
            notes.append(f'column {column} holds {quoted(label)} in {where}: treated as "no gold labels"')
        if conventions.end_exclusive and conventions.end_from_rows:
            notes.append("end_idx is exclusive in this file (the position after the word)")
        if self.located:
            which = "first" if conventions.first_occurrence else "only"
            notes.append(f"entities without offsets: each word is located at its {which} place in the sentence")
        if self.types:
            pairs = list(self.types.items())
            names, types = (", ".join(map(shortened, names)) for names in zip(*pairs[:TYPES_SHOWN], strict=True))
            more = ", ..." if len(pairs) > TYPES_SHOWN else ""
            notes.append(f"types {names}{more} are read as {types}{more}")
        if self.composed:
            rows = counted(self.composed, "row")
            notes.append(f"decomposed text (NFD, as macOS writes it) in {rows}: composed (NFC), offsets adjusted")
        return notes
