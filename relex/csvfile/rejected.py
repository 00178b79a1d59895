"""The bad records of a file, in a CSV of their own: once mended there, they can be submitted as they are.

`line` and `fault` come first, where a spreadsheet shows them at once, then the columns as they were. The file is
UTF-8 with BOM: Excel needs the BOM to show Hangul.
"""

import codecs
import csv
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from relex.csvfile.facts import RowFault
from relex.csvfile.records import Header, Record
from relex.csvfile.writing import remove, replacing

LINE, FAULT = "line", "fault"


class RejectedFile:
    """Takes bad records; the file exists only if there were any and the block ended well.

    A record that does not have the header's columns is written with the fields that it has.

    Args:
        path: where to; None writes nothing.
        header: of the file that is checked. Its own `line` and `fault`, from an earlier check, are left out.

    Raises:
        RelexError: on entering, what stands there from an earlier check cannot be removed; later as for
            :func:`relex.csvfile.writing.replacing`.
    """

    def __init__(self, path: Path | None, header: Header) -> None:
        self.path = path
        self.names = header.names
        self.kept = [index for index, name in enumerate(header.names) if name not in (LINE, FAULT)]
        self.stack = ExitStack()
        self.rows = 0

    def __enter__(self) -> "RejectedFile":
        if self.path:
            remove(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, trace)

    def add(self, record: Record, faults: Sequence[RowFault]) -> None:
        """Write one record with all that is wrong with it."""
        if self.path is None:
            return
        if not self.rows:
            self._begin(self.path)
        self.rows += 1
        whole = len(record.fields) == len(self.names)
        fields = [record.fields[index] for index in self.kept] if whole else record.fields
        self.writer.writerow([record.line, "; ".join(map(_in_words, faults)), *fields])

    def _begin(self, path: Path) -> None:
        file = self.stack.enter_context(replacing(path))
        text = codecs.getwriter("utf-8-sig")(file, "backslashreplace")
        self.writer = csv.writer(text, lineterminator="\n")
        self.writer.writerow([LINE, FAULT, *(self.names[index] for index in self.kept)])


def _in_words(fault: RowFault) -> str:
    place = f"{fault.column}: " if fault.column else ""
    return f"{place}{fault.message}{': ' if fault.hint else ''}{fault.hint}"
