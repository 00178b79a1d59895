"""How tables were read, in one line a file, and what the user should know about it."""

from collections.abc import Sequence

from rich.console import Console
from rich.filesize import decimal

from relex.errors import counted, printable
from relex.files.facts import FileFacts
from relex.files.inputs import InputFile


class ReadingPrinter:
    """A printer of how each file was read: once a file, however often that is read.

    Args:
        console: where to.
        named: whether the line begins with the name of the file, because there are several.
    """

    def __init__(self, console: Console, *, named: bool = False) -> None:
        self.console = console
        self._named = named
        self._printed: set[tuple[str, str]] = set()

    def __call__(self, file: InputFile, facts: FileFacts) -> None:
        """Print how a file was read after all its rows were checked."""
        self.print(file, facts.rows, facts.notes)

    def print(self, file: InputFile, rows: int, notes: Sequence[str]) -> None:
        """Print how a file was read, unless that was printed before."""
        key = (file.name, file.sha256)
        if key in self._printed:
            return
        self._printed.add(key)
        read = f"{file.name}: read" if self._named else "Read"
        self.console.print(printable(f"{read} as {file.form}: {counted(rows, 'row')}, {decimal(file.size)}"))
        for note in notes:
            self.console.print(f"note: {note}")
