"""What checking a CSV found, as values: submit shows and stores them, reading repeats the check with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relex.csvfile.conventions import Conventions


@dataclass(frozen=True, slots=True)
class RowFault:
    """One thing that is wrong with one record of the file.

    `excerpt` and `underline` are two lines of equal width in terminal cells: a piece of the sentence, and tildes
    under the wrong place.
    """

    line: int
    """Physical line on which the record starts; the header is line 1."""
    id: str | None
    """Text of the id column, or None where the record could not be split into columns."""
    column: str
    code: str
    """Kind of fault in kebab-case, as counted in :attr:`FileFacts.fault_counts`."""
    message: str
    hint: str = ""
    """The offsets, what they cut out, and the right ones where they can be told."""
    excerpt: str = ""
    underline: str = ""

    @property
    def detail(self) -> tuple[str, ...]:
        """The lines to show under the message, without indent: none, or excerpt and underline with the hint."""
        return (self.excerpt, f"{self.underline}  {self.hint}") if self.excerpt else ()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What one pass over the whole file found; `rows` counts records, `accepted + rejected == rows`."""

    sha256: str
    size: int
    """Bytes."""
    codec: str
    """Python's name of the encoding."""
    bom: bool
    rows: int
    accepted: int
    rejected: int
    labelled: int
    """Accepted records with a gold label."""
    fault_counts: Mapping[str, int]
    """Faults by code, most frequent first; a record may have more than one."""
    faults: tuple[RowFault, ...]
    """The first few, in file order: a file may hold millions."""
    conventions: Conventions
    """How the cells are meant."""
    notes: tuple[str, ...]
    """What a person should know although nothing is wrong."""
    rejected_to: Path | None = None
    """The file that holds the bad records, where one was asked for and could be written."""
    rejected_error: str = ""
    """Why it could not be written."""

    @property
    def placeholder(self) -> str | None:
        """The label of most records, where that is no relation: the file has no gold labels."""
        return self.conventions.placeholder

    @property
    def encoding(self) -> str:
        """The encoding as a person is told it."""
        return f"{self.codec} with BOM" if self.bom else self.codec
