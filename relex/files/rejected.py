"""The invalid records of a file in a CSV of their own, which can be submitted once they are fixed.

The columns `line` and `problem` come first, where a spreadsheet shows them at once, then all original columns. Where
the file has columns of these names, its own or those of an earlier check, the new ones are called `line_2` and
`problem_2`. The file is UTF-8 with BOM, because Excel needs the BOM to show Hangul. An existing file is never replaced:
it may be an earlier one that the user has fixed by hand.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain, count
from pathlib import Path
from types import TracebackType

from relex.errors import RelexError
from relex.files.atomic import publish_beside, staging_file
from relex.files.csv_writer import CsvWriter
from relex.files.forms.form import Record
from relex.files.problems import RowProblem

LINE, PROBLEM = "line", "problem"


class RejectedFile:
    """A writer of invalid records; :meth:`publish` makes the file if there were any.

    A record that does not have the header's columns is written with the fields that it has. An error of the file is
    kept in `error` and not raised, because the problems of the records must be reported in any case.

    Args:
        path: the file to write; None writes nothing.
        names: of the file's columns.
    """

    def __init__(self, path: Path | None, names: Sequence[str]) -> None:
        self.path = path
        self.written: Path | None = None
        """The file that was written; None before."""
        self.error = ""
        """Why the file cannot be written; empty if nothing failed."""
        self.names = names
        self.stack = ExitStack()
        self.staging: Path | None = None

    def __enter__(self) -> "RejectedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, trace)

    def add(self, record: Record, problems: Sequence[RowProblem]) -> None:
        """Write one record with its problems."""
        if self.path is None or self.error:
            return
        try:
            if self.staging is None:
                self._begin(self.path)
            self.writer.write_row([record.number, "; ".join(map(_describe, problems)), *record.fields])
        except (RelexError, OSError) as exc:
            self._fail(exc)

    def publish(self) -> None:
        """Rename the file to its path, or to the next free name."""
        if self.path is None or self.staging is None or self.error:
            return
        try:
            self.file.flush()
            self.written = publish_beside(self.staging, self.path)
        except (RelexError, OSError) as exc:
            self._fail(exc)

    def _begin(self, path: Path) -> None:
        self.staging, self.file = self.stack.enter_context(staging_file(path))
        self.writer = CsvWriter(self.file, bom=True, errors="backslashreplace")
        self.writer.write_row([*_own_names(self.names), *self.names])

    def _fail(self, exc: RelexError | OSError) -> None:
        self.error = str(exc.strerror if isinstance(exc, OSError) else exc).removeprefix(
            f"{self.path}: cannot be written: "
        )


def _own_names(names: Sequence[str]) -> tuple[str, str]:
    """Return the names of the line and of its problem: the first pair of which the file has neither."""
    pairs = chain([(LINE, PROBLEM)], ((f"{LINE}_{number}", f"{PROBLEM}_{number}") for number in count(2)))
    return next(pair for pair in pairs if not set(pair) & set(names))


def _describe(problem: RowProblem) -> str:
    place = f"{problem.column}: " if problem.column else ""
    return f"{place}{problem.message}{': ' if problem.hint else ''}{problem.hint}"
