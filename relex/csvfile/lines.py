"""The lines of an open file, of which some can be read again: a quote that is never closed swallows good rows."""

import re
from collections import deque
from io import TextIOWrapper

from relex.errors import InvalidCsv

MAX_FIELD = 4 * 1024 * 1024
"""Characters a field may have: four times the longest sentence promised, and a bound for a quote never closed."""
MAX_LINE = 4 * MAX_FIELD
"""Characters between two line ends: a bound for files without any."""
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t|]*\s*', re.IGNORECASE)
"""What Excel reads, and writes, before a header."""


class Lines:
    """An iterator of lines that knows their numbers and remembers those of the current record."""

    def __init__(self, name: str, file: TextIOWrapper) -> None:
        self.number = 0
        """The number of the last line that was read; the file's first line is 1."""
        self.taken: list[str] = []
        """The lines read since :meth:`begin`."""
        self._name = name
        self._file = file
        self._returned: deque[str] = deque()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else self._file.readline(MAX_LINE)
        if not line:
            raise StopIteration
        if len(line) == MAX_LINE:
            raise InvalidCsv(f"{self._name}: a line is longer than {MAX_LINE:,} characters; is this a CSV?")
        self.number += 1
        self.taken.append(line)
        return line

    def begin(self) -> int:
        """Begin a record, and return the number of its first line."""
        self.taken = []
        return self.number + 1

    def give_back(self, kept: int) -> None:
        """Read all lines of the current record again, except the first `kept` ones."""
        returned = self.taken[kept:]
        self.taken = self.taken[:kept]
        self._returned.extendleft(reversed(returned))
        self.number -= len(returned)

    def take_separator(self) -> str | None:
        """The separator that a line `sep=;` names; any other line is read again."""
        self.begin()
        named = SEPARATOR_LINE.fullmatch(next(self, ""))
        if named is None:
            self.give_back(0)
        return named[1] if named else None
