"""Files of results as Excel workbooks; the only module that knows XlsxWriter.

A text is always written as a text: an id such as `=HYPERLINK(...)`, `007` or a web address stays what it is.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from tempfile import TemporaryDirectory
from typing import BinaryIO

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from relex.errors import RelexError, counted, shortened
from relex.files.layouts import PREDICTED_LABELS, Cell, Column, Kind, ResultTable, cell_text
from relex.files.problems import width
from relex.hints import jobs as hints

MAX_ROWS = 1_048_576
"""Rows of a worksheet, the heading included."""
MAX_CELL_UNITS = 32_767
"""Characters of a cell; one outside the basic plane, such as an emoji, counts twice."""

OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "use_zip64": True,
}
EVERYWHERE = f"A1:XFD{MAX_ROWS}"
MIN_WIDTH = 10
"""Minimum width of a column, in the cells of a terminal: a Hangul syllable takes two."""
MAX_WIDTH = 60
"""Maximum width of a column of text, for a sentence."""
DATA_WIDTH = 24
"""Maximum width of a column of dicts, which begin with the word of their entity."""
SAMPLE_ROWS = 100
"""Number of rows whose texts decide the widths."""
MARGIN_WIDTH = 4
"""Characters beside a heading, for the button of its filter."""


class PlainWorksheet(Worksheet):  # type: ignore[misc] # it ships no types
    """A worksheet that writes every text escaped; XlsxWriter takes `<r>...</r>` for markup of its own."""

    def _xml_rich_inline_string(self, string: str, attributes: Sequence[tuple[str, object]] = ()) -> None:
        self._xml_inline_string(string, True, attributes)


def write_workbook(file: BinaryIO, table: ResultTable) -> None:
    """Write results as a workbook of one worksheet, with headings that stay in place and can filter.

    Raises:
        RelexError: there are more rows, or more characters in a cell, than Excel takes.
    """
    if table.rows >= MAX_ROWS:
        raise RelexError(
            f"{counted(table.rows, 'row')} and a heading do not fit into the {MAX_ROWS:,} rows of an Excel worksheet; "
            f"{hints.fewer_rows(MAX_ROWS - 1)}"
        )
    with TemporaryDirectory() as folder:
        workbook = Workbook(file, OPTIONS | {"tmpdir": folder})
        _describe(workbook, table)
        _fill(workbook, table)
        if table.answers:
            _offer_labels(workbook, table)
        workbook.close()  # a workbook that failed is never closed, because that would write what it has


def _describe(workbook: Workbook, table: ResultTable) -> None:
    """Set the properties of the file: where the results come from, and a time that does not change."""
    origin = "\n".join(f"{name}: {text}" for name, text in table.origin.items())
    workbook.set_properties({"comments": origin, "created": table.created_at.replace(tzinfo=None)})


def _fill(workbook: Workbook, table: ResultTable) -> None:
    columns, results = table.columns, iter(table.results)
    sample = list(islice(results, SAMPLE_ROWS))
    worksheet = workbook.add_worksheet(table.layout, PlainWorksheet)
    bold, number = workbook.add_format({"bold": True}), workbook.add_format({"num_format": "0.0000"})
    worksheet.freeze_panes(1, 0)
    worksheet.ignore_errors({"number_stored_as_text": EVERYWHERE})  # no green corner at each id
    for place, column in enumerate(columns):
        is_label = column in PREDICTED_LABELS or column.name == (table.answers or None)
        texts = table.labels if is_label else map(column.value, sample)
        worksheet.set_column(place, place, _width(column.name, texts), number if column.kind is Kind.NUMBER else None)
        _write_text(worksheet, 0, place, column.name, f"heading {place + 1}", bold)
    try:
        for row, result in enumerate(chain(sample, results), 1):
            for place, column in enumerate(columns):
                _write_cell(worksheet, row, place, column, column.value(result))
    except BaseException:
        worksheet.row_data_fh.close()  # only a workbook that is closed does it
        raise
    worksheet.autofilter(0, 0, table.rows, len(columns) - 1)


def _offer_labels(workbook: Workbook, table: ResultTable) -> None:
    """Let a person choose the answers from a list of the labels, which stands on a second sheet."""
    results, labels = workbook.worksheets()[0], workbook.add_worksheet("labels")
    for row, label in enumerate(table.labels):
        labels.write_string(row, 0, label)
    place = [column.name for column in table.columns].index(table.answers)
    choices = f"=labels!$A$1:$A${len(table.labels)}"
    results.data_validation(1, place, max(table.rows, 1), place, {"validate": "list", "source": choices})


def _width(heading: str, cells: Iterable[Cell]) -> int:
    """Return the width of a column whose first cells are these; numbers and probabilities do not count."""
    widths = [MIN_WIDTH, width(heading) + MARGIN_WIDTH]
    for text in (cell for cell in cells if isinstance(cell, str)):
        most = DATA_WIDTH if text.startswith("{") else MAX_WIDTH
        widths.append(min(width(text[:MAX_WIDTH]), most))
    return min(max(widths), MAX_WIDTH)


def _write_cell(worksheet: Worksheet, row: int, place: int, column: Column, cell: Cell) -> None:
    text = cell_text(cell)
    if isinstance(text, float):
        worksheet.write_number(row, place, text)
    elif text:
        _write_text(worksheet, row, place, text, f"row {row:,}: the {shortened(column.name)}")


def _write_text(
    worksheet: Worksheet, row: int, place: int, text: str, what: str, format_: Format | None = None
) -> None:
    """Write a text.

    Raises:
        RelexError: it does not fit into a cell.
    """
    if worksheet.write_string(row, place, text, format_):  # it has cut the text
        raise RelexError(
            f"{what} has {len(text):,} characters, more than the {MAX_CELL_UNITS:,} of an Excel cell; "
            f"{hints.csv_instead()}"
        )
