"""A file as text, and its lines, which can be read again."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from relex.errors import InvalidCsv
from relex.files.forms import form as limits
from relex.files.forms.compression import open_bytes
from relex.files.forms.encodings import BOM, error_handler, undecodable
from relex.files.forms.form import Form


@contextmanager
def open_text(path: Path, name: str, form: Form) -> Iterator[TextIOWrapper]:
    """Open a text after its mark, with its line ends unchanged.

    Raises:
        InvalidCsv: it cannot be opened, or holds bytes that are not in its encoding.
    """
    with open_bytes(path, name, form.compression) as raw:
        file = TextIOWrapper(raw, form.codec, errors=error_handler(form.codec), newline="")
        try:
            if form.bom:
                file.read(1)
            yield file
        except UnicodeError as exc:
            raise undecodable(path, name, form.compression, form.codec) from exc
        finally:
            file.detach()


def begins_with_mark(path: Path, name: str, compression: str, codec: str) -> bool:
    """Return whether a text begins with a byte order mark that its codec leaves in it.

    Raises:
        InvalidCsv: its first character is not in this encoding.
    """
    with open_text(path, name, Form(codec=codec, compression=compression)) as file:
        return file.read(1) == BOM


class Lines:
    """An iterator of lines that counts them and keeps those of the current record."""

    def __init__(self, name: str, file: TextIOWrapper) -> None:
        self.number = 0
        """Number of the last line that was read, counted from 1."""
        self.current: list[str] = []
        """Lines that were read since :meth:`begin`."""
        self._name = name
        self._file = file
        self._returned: deque[str] = deque()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else self._file.readline(limits.MAX_LINE)
        if not line:
            raise StopIteration
        if len(line) == limits.MAX_LINE:
            raise InvalidCsv(f"{self._name}: a line is longer than {limits.MAX_LINE:,} characters; is this a table?")
        self.number += 1
        self.current.append(line)
        return line

    def begin(self) -> int:
        """Begin a record, and return the number of its first line."""
        self.current = []
        return self.number + 1

    def unread(self, keep: int) -> None:
        """Queue the lines of the current record to be read again, except the first `keep` ones."""
        returned = self.current[keep:]
        self.current = self.current[:keep]
        self._returned.extendleft(reversed(returned))
        self.number -= len(returned)
