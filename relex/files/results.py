"""Files of results: one stream of results, written as CSV, JSON Lines, Parquet or an Excel workbook in flat memory."""

import json
from collections.abc import Sequence
from typing import BinaryIO

from relex.domain.results import Result
from relex.files.csv_writer import CsvWriter
from relex.files.layouts import (
    BATCH_ID,
    Column,
    Format,
    Kind,
    Layout,
    ResultTable,
    cell_text,
)


def write_results(file: BinaryIO, table: ResultTable, format_: Format) -> None:
    """Write results to an open file.

    Raises:
        RelexError: the format needs a library that is not installed, or cannot hold the table.
    """
    if format_ is Format.PARQUET:
        from relex.files.parquet import write_parquet  # noqa: PLC0415 - an extra, and it imports numpy

        write_parquet(file, table)
    elif format_ is Format.XLSX:
        from relex.files.workbook import write_workbook  # noqa: PLC0415 - few exports need XlsxWriter

        write_workbook(file, table)
    elif format_ is Format.JSONL:
        _write_json_lines(file, table)
    else:
        _write_csv(file, table)


def _write_csv(file: BinaryIO, table: ResultTable) -> None:
    """Write a CSV; a review is for Excel."""
    writer = CsvWriter.for_excel(file) if table.layout is Layout.REVIEW else CsvWriter(file)
    columns = table.columns
    writer.write_row(column.name for column in columns)
    writer.write_rows([cell_text(column.value(result)) for column in columns] for result in table.results)


def _write_json_lines(file: BinaryIO, table: ResultTable) -> None:
    """Write an object a line; the probabilities are an object by label, in a wide layout too."""
    layout = Layout.SUBMISSION if table.layout is Layout.WIDE else table.layout
    columns = [BATCH_ID, *table.columns_as(layout)]
    for result in table.results:
        record = {column.name: _json(column, result, table.labels) for column in columns}
        file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _json(column: Column, result: Result, labels: Sequence[str]) -> object:
    if column.kind is Kind.PROBABILITIES:
        return dict(zip(labels, result.probabilities, strict=True))
    return column.value(result)
