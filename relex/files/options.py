"""How a table is read, where the user says so; whatever is left open, the file itself decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from relex.errors import InvalidInput, did_you_mean, quoted

FORMATS = ("csv", "jsonl", "json", "parquet", "xlsx")
"""Values of `--format`; a CSV may have any separator, and xlsx stands for every workbook."""
OFFSETS = ("inclusive", "exclusive", "one-based", "utf-16", "bytes")
"""Values of `--offsets`; the last three say what is counted, and the rows show which end is meant."""
OCCURRENCES = ("first",)
TARGETS = (
    *("id", "sentence", "subject_entity", "object_entity", "label", "source"),
    *(f"{role}_{part}" for role in ("subject", "object") for part in ("word", "start", "end", "type")),
)
"""Names that `--columns` maps to the columns of a file."""
DELIMITER_NAMES = {"tab": "\t", r"\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
NOT_DELIMITERS = frozenset('"\r\n\0\ufeff')


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices of the user about how a table is read; None, or no columns, means that the file decides."""

    encoding: str | None = None
    """Text encoding, by a name that Python knows."""
    delimiter: str | None = None
    """Separator of the columns of a CSV, one character."""
    format: str | None = None
    """One of `FORMATS`."""
    sheet: str | None = None
    """Name of the sheet of a workbook."""
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Names of the file's columns by target (one of `TARGETS`); an empty name means that there is no such column."""
    occurrence: str | None = None
    """`first`: a word without offsets that occurs several times is its first occurrence."""
    offsets: str | None = None
    """One of `OFFSETS`."""

    @classmethod
    def parse(cls, **texts: str | None) -> "ReadOptions":
        """Parse options as they are typed, such as `columns="sentence=문장,label="`.

        Raises:
            InvalidInput: a value is not allowed; the message begins with the name of the option.
        """
        values = {name: text for name, text in texts.items() if text is not None}
        choices = {"format": FORMATS, "occurrence": OCCURRENCES, "offsets": OFFSETS}
        for name, allowed in choices.items():
            if name in values and values[name] not in allowed:
                hint = did_you_mean(values[name], allowed)
                raise InvalidInput(f"{name}: {quoted(values[name])} is none of {', '.join(allowed)}{hint}")
        delimiter = values.pop("delimiter", None)
        columns = values.pop("columns", "")
        return cls(
            delimiter=None if delimiter is None else parse_delimiter(delimiter),
            columns=MappingProxyType(parse_columns(columns)),
            **values,
        )

    def texts(self) -> dict[str, str]:
        """Return the options that are set, as :meth:`parse` reads them back."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "columns"}
        if self.columns:
            values["columns"] = ",".join(f"{target}={column}" for target, column in self.columns.items())
        return {name: text for name, text in values.items() if text is not None}


READ_OPTIONS = tuple(item.name for item in fields(ReadOptions))
"""Names of the options, on the command line and in the section `data` of a recipe."""
AUTO = ReadOptions()
"""The file decides everything."""


def parse_delimiter(text: str) -> str:
    r"""Return the character that a delimiter stands for: itself, or `tab`, `\t`, `comma`, `semicolon`, `pipe`.

    Raises:
        InvalidInput: it is not one character that can separate columns.
    """
    delimiter = DELIMITER_NAMES.get(text, text)
    if len(delimiter) != 1 or delimiter in NOT_DELIMITERS:
        raise InvalidInput(f"delimiter: {quoted(text)} is not one character; write , ; | or tab")
    return delimiter


def parse_columns(text: str) -> dict[str, str]:
    """Return the columns of `sentence=문장,subject_entity=주체` by target.

    Raises:
        InvalidInput: a pair has no equals sign, or a target is unknown or named twice.
    """
    columns: dict[str, str] = {}
    for pair in text.split(",") if text else []:
        target, equals, column = (part.strip() for part in pair.partition("="))
        if not equals:
            raise InvalidInput(f"columns: {quoted(pair)}: write NAME=COLUMN, as in sentence=문장")
        if target not in TARGETS:
            hint = did_you_mean(target, TARGETS)
            raise InvalidInput(
                f"columns: {quoted(target)} is not a column of relex{hint}; it reads {', '.join(TARGETS)}"
            )
        if target in columns:
            raise InvalidInput(f"columns: {target} is named twice")
        columns[target] = column
    return columns
