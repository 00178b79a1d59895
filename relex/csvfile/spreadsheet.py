"""A CSV of relex once more, for Excel and its like, which take some cells for formulas and UTF-8 for something else.

`id,pred_label,probs` comes from strangers: `=HYPERLINK(...)` in an id is run by who opens the file. A guarded cell has
a `'` before it; a cell that began with a `'` is guarded too, so to take one leading `'` away gives every cell back.
"""

import codecs
import csv
from pathlib import Path

from relex.csvfile.files import replacing
from relex.csvfile.lines import MAX_FIELD

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
