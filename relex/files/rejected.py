"""The bad records of a file, in a CSV of their own: once fixed there, they can be submitted as they are.

`line` and `fault` come first, where a spreadsheet shows them at once, then the columns as they were. The file is
UTF-8 with BOM: Excel needs the BOM to show Hangul. No file makes room for it: one of this name may be an earlier one
that somebody has fixed by hand.
"""

import codecs
import csv
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from relex.errors import RelexError
from relex.files.atomic import drafting, publish_beside
from relex.files.problems import RowProblem
from relex.files.records import Header, Record

LINE, FAULT = "line", "fault"


class RejectedFile:
    """Takes bad records; a file comes of it when :meth:`publish` is called and there were any.

    A record that does not have the header's columns is written with the fields that it has. Trouble with the file is
    kept in `error`: what is wrong with the records must be said in any case.

    Args:
        path: where to; None writes nothing.
        header: of the file that is checked. Its own `line` and `fault`, from an earlier check, are left out.
    """

    def __init__(self, path: Path | None, header: Header) -> None:
        self.path = path
        self.written: Path | None = None
        """The file, once it is there."""
        self.error = ""
        """Why it cannot be written."""
        self.names = header.names
        self.kept = [index for index, name in enumerate(header.names) if name not in (LINE, FAULT)]
        self.stack = ExitStack()
        self.draft: Path | None = None

    def __enter__(self) -> "RejectedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, trace)

    def add(self, record: Record, faults: Sequence[RowProblem]) -> None:
        """Write one record with all that is wrong with it."""
        if self.path is None or self.error:
            return
        whole = len(record.fields) == len(self.names)
        fields = [record.fields[index] for index in self.kept] if whole else record.fields
        try:
            if self.draft is None:
                self._begin(self.path)
            self.writer.writerow([record.line, "; ".join(map(_in_words, faults)), *fields])
        except (RelexError, OSError) as exc:
            self._give_up(exc)

    def publish(self) -> None:
        """Put the file where it shall be, or beside what is there."""
        if self.path is None or self.draft is None or self.error:
            return
        try:
            self.file.flush()
            self.written = publish_beside(self.draft, self.path)
        except (RelexError, OSError) as exc:
            self._give_up(exc)

    def _begin(self, path: Path) -> None:
        self.draft, self.file = self.stack.enter_context(drafting(path))
        text = codecs.getwriter("utf-8-sig")(self.file, "backslashreplace")
        self.writer = csv.writer(text, lineterminator="\n")
        self.writer.writerow([LINE, FAULT, *(self.names[index] for index in self.kept)])

    def _give_up(self, exc: RelexError | OSError) -> None:
        self.error = str(exc.strerror if isinstance(exc, OSError) else exc).removeprefix(
            f"{self.path}: cannot be written: "
        )


def _in_words(fault: RowProblem) -> str:
    place = f"{fault.column}: " if fault.column else ""
    return f"{place}{fault.message}{': ' if fault.hint else ''}{fault.hint}"
