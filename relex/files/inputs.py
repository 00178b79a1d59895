"""Input files as they are named on a command line: files, standard input, pipes and process substitution.

What can be read only once is copied to a temporary file without a name: it vanishes with the process that opened it,
however that ends.
"""

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from relex.errors import InvalidCsv, Transient
from relex.files.columns import count_known
from relex.files.forms.form import Form
from relex.files.forms.recognize import recognize
from relex.files.options import AUTO, ReadOptions
from relex.files.paths import sha256_of, unreadable

STDIN = "-"
STDIN_PATHS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
STDIN_NAME = "stdin"
"""What messages and jobs call standard input and a process substitution."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that can be read repeatedly, and how."""

    path: Path
    """Where its bytes are: the file itself, or a copy of what could be read only once."""
    name: str
    """What messages call it: its name without its folder."""
    sha256: str
    size: int
    """Number of bytes."""
    form: Form
    options: ReadOptions = AUTO

    def require_unchanged(self) -> None:
        """Compare the file with what it was when it was opened.

        Raises:
            InvalidCsv: its bytes are others.
        """
        if sha256_of(self.path) != self.sha256:
            raise self.changed()

    def changed(self) -> InvalidCsv:
        """Return the error for a file whose bytes are others than before."""
        return InvalidCsv(f"{self.name}: changed after it was checked; try again")


@contextmanager
def open_input(path: Path, options: ReadOptions = AUTO) -> Iterator[InputFile]:
    """Open a file, standard input (`-`) or a pipe, and recognize its form.

    Raises:
        InvalidCsv: it cannot be opened, or its form cannot be read.
    """
    with open_readable(path) as readable:
        yield recognize_input(readable, input_name(path), options)


def recognize_input(readable: Path, name: str, options: ReadOptions = AUTO) -> InputFile:
    """Recognize the form of a file.

    Args:
        readable: as :func:`open_readable` yields it.
        name: what messages call the file.
        options: how it is read.

    Raises:
        InvalidCsv: its form cannot be read.
    """
    form = recognize(readable, name, options, lambda names: count_known(names, options))
    return InputFile(readable, name, sha256_of(readable), readable.stat().st_size, form, options)


@contextmanager
def open_inputs(paths: Sequence[Path], options: ReadOptions = AUTO) -> Iterator[list[InputFile]]:
    """Open several files, and report all that cannot be opened at once.

    Raises:
        InvalidCsv: as for :func:`open_input`.
    """
    with ExitStack() as stack:
        files, errors = [], []
        for path in paths:
            try:
                files.append(stack.enter_context(open_input(path, options)))
            except InvalidCsv as exc:
                errors.append(str(exc))
        if errors:
            raise InvalidCsv("\n".join(errors))
        yield files


def input_name(path: Path) -> str:
    """Return what messages and jobs call an input."""
    return STDIN_NAME if str(path) == STDIN or str(path).startswith(STDIN_PATHS) else path.name


@contextmanager
def open_readable(path: Path) -> Iterator[Path]:
    """Yield a path that can be opened repeatedly, from its beginning each time.

    Raises:
        InvalidCsv: it cannot be opened.
    """
    if str(path) == STDIN:
        if sys.stdin.isatty():
            raise InvalidCsv("-: standard input is a terminal; pipe a file into relex, or name one")
        with _copy(sys.stdin.buffer) as copy:
            yield copy
        return
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISDIR(mode)):
            raise InvalidCsv(f"{path}: a device, not a file with rows; name a file")
        file = path.open("rb")
    except OSError as exc:
        raise unreadable(str(path), exc) from exc
    with file:
        if stat.S_ISFIFO(mode):
            with _copy(file) as copy:
                yield copy
        else:
            yield path


@contextmanager
def _copy(source: BinaryIO) -> Iterator[Path]:
    """Copy a stream to a temporary file without a name, and yield a path of it.

    Raises:
        Transient: the folder for temporary files is full.
    """
    with TemporaryFile() as file:
        try:
            shutil.copyfileobj(source, file)
            file.flush()
        except OSError as exc:
            if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise Transient("standard input does not fit in the temporary folder; set TMPDIR to a larger one") from exc
        yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
