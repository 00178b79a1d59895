"""What form a file has, and its records before their meaning is known."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

TEXT_FORMATS = ("csv", "jsonl", "json")
MAX_FIELD = 4 * 1024 * 1024
"""Maximum characters of a field: four times the longest sentence promised; limits a quote that is never closed."""
EXCERPT_CHARS = 20
"""Characters shown on either side of a syntax error."""
MAX_LINE = 4 * MAX_FIELD
"""Maximum characters of a line; limits files without line ends."""
INVISIBLE = " \t\ufeff\u200b"
"""Characters around a column's name that the user cannot see."""
NAMES = {"jsonl": "JSON Lines", "json": "JSON", "parquet": "Parquet", "xlsx": "a workbook"}
SEPARATOR_NAMES = {"\t": "tab-separated"}


@dataclass(frozen=True, slots=True)
class Form:
    """How the bytes of a file are read as a table."""

    format: str = "csv"
    """One of `relex.files.options.FORMATS`."""
    codec: str = "utf-8"
    """Python's name of the encoding of a text format."""
    bom: bool = False
    """Whether the text begins with a byte order mark."""
    delimiter: str = ","
    """Separator of the columns of a CSV."""
    compression: str = ""
    """Name of the program that compressed the file; empty if none did."""
    sheet: str = ""
    """Name of the sheet of a workbook."""
    notes: tuple[str, ...] = ()
    """What the user should know about the choice of the form."""

    @property
    def unit(self) -> str:
        """What the numbers of records count: lines of a text, or rows."""
        return "line" if self.format in TEXT_FORMATS else "row"

    @property
    def encoding(self) -> str:
        """The encoding as shown to the user."""
        return f"{self.codec} with BOM" if self.bom else self.codec

    def __str__(self) -> str:
        """Describe the form: `cp949, ';'-separated`."""
        parts = [self.compression] if self.compression else []
        if self.format in NAMES:
            parts.append(NAMES[self.format])
        if self.format in TEXT_FORMATS:
            parts.append(self.encoding)
        if self.format == "csv":
            parts.append(SEPARATOR_NAMES.get(self.delimiter, f"'{self.delimiter}'-separated"))
        if self.sheet:
            parts.append(f"sheet '{self.sheet}'")
        return ", ".join(parts)


class Broken(NamedTuple):
    """Why a record could not be split into columns."""

    code: str
    message: str


class Record(NamedTuple):
    """One record of a file; a broken one is a single field with all its text."""

    number: int
    """Line on which it starts, or number of its row, as the user's program counts; from 1."""
    fields: list[str]
    broken: Broken | None = None


@dataclass(slots=True)
class BlankRows:
    """A count of skipped rows that hold only separators and spaces."""

    count: int = 0
    first: int = 0
    """Line or row of the first one."""


@dataclass(frozen=True, slots=True)
class Table:
    """An open file; `records` iterates over it once."""

    form: Form
    names: list[str]
    """Names of the columns in file order, without invisible characters around them."""
    header: int
    """Line or row of the names."""
    records: Iterator[Record]
    blank: BlankRows = field(default_factory=BlankRows)
    """Complete only after the last record was read."""
