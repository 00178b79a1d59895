"""Conventions that a file does not state: the majority of rows decides, and the other rows are rejected."""

from collections import Counter
from dataclasses import dataclass, field, replace

from relex.errors import counted, did_you_mean, quoted, shortened
from relex.files.options import ReadOptions
from relex.labels import RELATIONS

MAX_PLACEHOLDER_CHARS = 100
MAX_LABELS = 1_000
"""Maximum number of distinct unknown labels that are counted; a file with more has no placeholder."""
CHARACTERS = "characters"
UNITS = (CHARACTERS, "one-based", "utf-16", "bytes")
"""What offsets count: characters from 0 or from 1, units of UTF-16, or bytes of UTF-8."""
TYPES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Conventions:
    """How the cells of a file are read."""

    placeholder: str | None = None
    """The label that is not a relation and means "no gold label"; None if there is none."""
    end_exclusive: bool = False
    """Whether the end of an entity is the position after the word."""
    end_fixed: bool = False
    """Whether the user said so, and the majority has no say."""
    unit: str = CHARACTERS
    """One of `UNITS`."""
    first_occurrence: bool = False
    """Whether a word without offsets is its first occurrence where there are several."""

    @classmethod
    def of(cls, options: ReadOptions) -> "Conventions":
        """Return the conventions before any row was read."""
        return cls(
            end_exclusive=options.offsets == "exclusive",
            end_fixed=options.offsets in ("inclusive", "exclusive"),
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
    misplaced: int = 0
    """Entities that would be valid if the end were read the other way."""
    mismatched: int = 0
    """Entities whose offsets do not match their word."""
    units: Counter[str] = field(default_factory=Counter)
    """Of these, those that would be valid if the offsets counted this unit."""
    located: int = 0
    """Entities without offsets whose word was found in the sentence."""
    types: dict[str, str] = field(default_factory=dict)
    """Other names of types that occurred, and the types that they were taken as."""
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
        turned = self.misplaced > self.placed and not current.end_fixed
        return replace(
            current,
            placeholder=label if 2 * times > self.rows and not did_you_mean(label, RELATIONS) else None,
            end_exclusive=current.end_exclusive != turned,
        )

    def fitting_units(self) -> list[str]:
        """Return the units in which every offset that does not match its word would match it."""
        return [unit for unit, times in self.units.items() if times == self.mismatched]

    def notes(self, conventions: Conventions, column: str) -> list[str]:
        """Return what the user should know about how the file was read."""
        notes = []
        if conventions.placeholder is not None:
            times = self.labels[conventions.placeholder]
            where = "every row" if times == self.rows else f"{times:,} of {self.rows:,} rows"
            label = conventions.placeholder
            notes.append(f'column {column} holds {quoted(label)} in {where}: treated as "no gold labels"')
        if conventions.end_exclusive and not conventions.end_fixed:
            notes.append("end_idx is exclusive in this file (the position after the word)")
        if self.located:
            which = "first" if conventions.first_occurrence else "only"
            notes.append(f"entities without offsets: each word is taken at its {which} place in the sentence")
        if self.types:
            pairs = list(self.types.items())
            names, types = (", ".join(map(shortened, names)) for names in zip(*pairs[:TYPES_SHOWN], strict=True))
            more = ", ..." if len(pairs) > TYPES_SHOWN else ""
            notes.append(f"types {names}{more} are taken as {types}{more}")
        if self.composed:
            rows = counted(self.composed, "row")
            notes.append(f"decomposed text (NFD, as macOS writes it) in {rows}: composed (NFC), offsets adjusted")
        return notes
