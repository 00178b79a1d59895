"""Writing predictions, row errors and comparisons as CSVs, and copies that are safe to open in a spreadsheet.

Ids come from strangers, and a spreadsheet runs a cell like `=HYPERLINK(...)` as a formula. An escaped cell begins with
`'`; a cell that began with `'` is escaped too, so removing one leading `'` restores every cell.
"""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from relex.domain.examples import Example, Prediction
from relex.files.atomic import atomic_write
from relex.files.csv_writer import CsvWriter
from relex.files.forms.form import MAX_FIELD

GUARD = "'"
FORMULA_STARTS = (
    *"=+-@",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)
"""Characters that begin a formula; Excel with East Asian settings accepts the wide forms too, and skips spaces."""

PREDICTION_HEADER = b"id,pred_label,probs\n"
ERROR_HEADER = ("id", "code", "message")
EXAMPLE_HEADER = ("id", "sentence", "subject", "object", "gold")
LABELED_HEADER = (*EXAMPLE_HEADER, "pred_label", "probs")
FLIP_HEADER = (*EXAMPLE_HEADER, "A", "B", "right")


def escape_formula(cell: str) -> str:
    """Escape a cell so that a spreadsheet shows it as text."""
    unsafe = cell.startswith((GUARD, "\t", "\r", "\n")) or cell.lstrip().startswith(FORMULA_STARTS)
    return GUARD + cell if unsafe else cell


def unescape_formula(cell: str) -> str:
    """Restore a cell that `escape_formula` has escaped."""
    return cell.removeprefix(GUARD)


def write_spreadsheet(source: Path, path: Path) -> None:
    """Copy a CSV of relex for a spreadsheet: with BOM, CRLF, and every cell escaped.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    csv.field_size_limit(MAX_FIELD)
    with source.open(encoding="utf-8-sig", newline="") as file, atomic_write(path) as target:
        records = csv.reader(file, strict=True)
        CsvWriter.for_excel(target).write_rows(map(escape_formula, record) for record in records)


def write_predictions(path: Path, blocks: Iterable[bytes | bytearray | memoryview]) -> int:
    """Write the header and blocks of CSV text in UTF-8, as COPY of Postgres returns them.

    Returns:
        Number of bytes written, header included.

    Raises:
        RelexError: the folder cannot be written to or the disk is full. `path` is then unchanged, as it is if
            `blocks` raises.
    """
    with atomic_write(path) as file:
        return write_prediction_blocks(file, blocks)


def write_prediction_blocks(file: BinaryIO, blocks: Iterable[bytes | bytearray | memoryview]) -> int:
    """Write the same to an open file."""
    return file.write(PREDICTION_HEADER) + sum(map(file.write, blocks))


def write_errors(path: Path, errors: Iterable[tuple[str, str, str]]) -> None:
    """Write the row errors: (id, code, message) of each row without a prediction.

    Raises:
        RelexError: as for :func:`write_predictions`.
    """
    _write_rows(path, ERROR_HEADER, errors)


def write_labeled_predictions(path: Path, examples: Iterable[Example], predictions: Iterable[Prediction]) -> None:
    """Write labeled examples with their predictions, both in the same order, for Excel as :func:`write_flips`.

    Raises:
        RelexError: as for :func:`write_predictions`.
    """
    rows = (
        (*_cells(example), prediction.label, json.dumps(prediction.probabilities))
        for example, prediction in zip(examples, predictions, strict=True)
    )
    _write_rows(path, LABELED_HEADER, rows, for_excel=True)


def write_flips(path: Path, flips: Iterable[tuple[Example, str, str, str]]) -> None:
    """Write examples that two models label differently: the labels of A and B, and which is right (A, B or neither).

    The file has a BOM and CRLF, so that a double click opens it in Excel with its Hangul.

    Raises:
        RelexError: as for :func:`write_predictions`.
    """
    _write_rows(path, FLIP_HEADER, ((*_cells(example), *labels) for example, *labels in flips), for_excel=True)


def _cells(example: Example) -> tuple[str | None, ...]:
    return (example.id, example.sentence, example.subject.text, example.object.text, example.label)


def _write_rows(
    path: Path, header: Iterable[object], rows: Iterable[Iterable[object]], *, for_excel: bool = False
) -> None:
    with atomic_write(path) as file:
        writer = CsvWriter.for_excel(file) if for_excel else CsvWriter(file)
        writer.write_row(header)
        writer.write_rows(rows)
