"""A CSV of relex once more, for Excel and its like, which take some cells for formulas and UTF-8 for something else.

`id,pred_label,probs` comes from strangers: `=HYPERLINK(...)` in an id is run by who opens the file. A guarded cell has
a `'` before it; a cell that began with a `'` is guarded too, so to take one leading `'` away gives every cell back.

Predictions, row errors and comparisons as CSVs.
"""

import codecs
import csv
import json
from collections.abc import Iterable
from pathlib import Path

from relex.domain.examples import Example, Prediction
from relex.files.atomic import replacing
from relex.files.records import MAX_FIELD

GUARD = "'"
STARTS = (
    *"=+-@",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)
"""What begins a formula; Excel in East Asian settings takes the wide forms too, and skips spaces before them."""


def guarded(cell: str) -> str:
    """The cell as a spreadsheet shows it as text."""
    dangerous = cell.startswith((GUARD, "\t", "\r", "\n")) or cell.lstrip().startswith(STARTS)
    return GUARD + cell if dangerous else cell


def unguarded(cell: str) -> str:
    """The cell as it was before `guarded`."""
    return cell.removeprefix(GUARD)


def write_spreadsheet(source: Path, path: Path) -> None:
    """Write a CSV that relex wrote in UTF-8 anew: with BOM, CRLF, and every cell guarded.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    csv.field_size_limit(MAX_FIELD)
    with source.open(encoding="utf-8", newline="") as file, replacing(path) as target:
        writer = csv.writer(codecs.getwriter("utf-8-sig")(target), lineterminator="\r\n")
        writer.writerows([guarded(cell) for cell in record] for record in csv.reader(file, strict=True))


PREDICTION_HEADER = b"id,pred_label,probs\n"
ERROR_HEADER = ("id", "code", "message")
EXAMPLE_HEADER = ("id", "sentence", "subject", "object", "gold")
JUDGED_HEADER = (*EXAMPLE_HEADER, "pred_label", "probs")
FLIP_HEADER = (*EXAMPLE_HEADER, "A", "B", "right")


def write_predictions(path: Path, blocks: Iterable[bytes | bytearray | memoryview]) -> int:
    """Write the header, then the blocks as they come: CSV text in UTF-8 as Postgres' COPY delivers it.

    Returns:
        Bytes written, header included.

    Raises:
        RelexError: the folder cannot be written to or the disk is full. `path` then is as it was before, and
            so it is when `blocks` fails.
    """
    with replacing(path) as file:
        written = file.write(PREDICTION_HEADER)
        for block in blocks:
            written += file.write(block)
    return written


def write_errors(path: Path, errors: Iterable[tuple[str, str, str]]) -> None:
    """Write why rows have no prediction: (id, code, message) each.

    Raises:
        RelexError: as for :func:`write_predictions`.
    """
    _write_rows(path, ERROR_HEADER, errors)


def write_judged(path: Path, examples: Iterable[Example], predictions: Iterable[Prediction]) -> None:
    """Write labelled examples beside their predictions; both in the same order.

    Raises:
        RelexError: as for :func:`write_predictions`.
    """
    rows = (
        (*_cells(example), prediction.label, json.dumps(prediction.probabilities))
        for example, prediction in zip(examples, predictions, strict=True)
    )
    _write_rows(path, JUDGED_HEADER, rows)


def write_flips(path: Path, flips: Iterable[tuple[Example, str, str, str]]) -> None:
    """Write examples that two models label differently: A's label, B's label, and who is right (A, B or neither).

    Raises:
        RelexError: as for :func:`write_predictions`.
    """
    _write_rows(path, FLIP_HEADER, ((*_cells(example), *labels) for example, *labels in flips))


def _cells(example: Example) -> tuple[str | None, ...]:
    return (example.id, example.sentence, example.subject.text, example.object.text, example.label)


def _write_rows(path: Path, header: Iterable[str], rows: Iterable[Iterable[str | None]]) -> None:
    with replacing(path) as file:
        writer = csv.writer(codecs.getwriter("utf-8")(file), lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
