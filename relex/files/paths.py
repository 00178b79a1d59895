"""Paths of input files: how they are shown, their digests, and why one cannot be read."""

import errno
import hashlib
import os
from pathlib import Path

from relex.errors import InvalidCsv

ERRNO_HINTS = {
    errno.ENOENT: "check the name and the folder",
    errno.ENOTDIR: "check the name and the folder",
    errno.ENAMETOOLONG: "check the name and the folder",
    errno.EISDIR: "name the file in it",
    errno.EACCES: "ask its owner for the right to read it",
}


def shown_path(path: Path) -> str:
    """Return a path as text that can be stored and printed; bytes that are not UTF-8 become hexadecimal digits."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        InvalidCsv: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise unreadable(str(path), exc) from exc


def unreadable(name: str, exc: OSError) -> InvalidCsv:
    """Return the error for a file that the operating system does not let relex read."""
    hint = ERRNO_HINTS.get(exc.errno or 0, "copy it to another disk")
    return InvalidCsv(f"{name}: cannot be read: {exc.strerror}; {hint}")
