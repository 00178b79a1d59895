"""Writing a CSV in UTF-8, for programs or for Excel."""

import codecs
import csv
from collections.abc import Iterable
from typing import BinaryIO

CRLF = "\r\n"


class CsvWriter:
    """A writer of a CSV into an open file.

    Python's writer of lines without a carriage return leaves one in a cell unquoted, and a reader would take it for the
    end of the line. So the rows are made with CRLF, and their end is replaced.

    Args:
        file: where the CSV begins.
        bom: whether it begins with a byte order mark, by which Excel recognizes UTF-8.
        line_end: how a row ends.
        errors: what to do with half a surrogate pair, as in `str.encode`.
    """

    def __init__(self, file: BinaryIO, *, bom: bool = False, line_end: str = "\n", errors: str = "strict") -> None:
        self._file = file
        self._line_end = line_end
        self._errors = errors
        self._writer = csv.writer(self, lineterminator=CRLF)
        if bom:
            file.write(codecs.BOM_UTF8)

    @classmethod
    def for_excel(cls, file: BinaryIO) -> "CsvWriter":
        """Return a writer of a CSV that a double click opens in Excel with its Hangul: BOM and CRLF."""
        return cls(file, bom=True, line_end=CRLF)

    def write_row(self, row: Iterable[object]) -> None:
        """Write one row."""
        self._writer.writerow(row)

    def write_rows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write rows."""
        self._writer.writerows(rows)

    def write(self, line: str) -> None:
        """Take a line from Python's writer."""
        self._file.write((line.removesuffix(CRLF) + self._line_end).encode(errors=self._errors))
