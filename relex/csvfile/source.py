"""From bytes to text: encodings, marks at the start of a file, and where a byte does not decode."""

import codecs
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from relex.csvfile.decoding import error_handler, undecodable
from relex.csvfile.kinds import FIRST_BYTES, refuse_other_kinds
from relex.errors import InvalidCsv, quoted
from relex.hints import tables as hints

BOM = "\ufeff"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
"""The first of them begins with UTF-16's mark, so these are looked for first."""
NOT_FOR_FILES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape"})
"""Python's names of codecs for host names and source code: they would make something of any file."""
EXTENDED = {"euc_kr": "cp949"}
"""What Korean Windows writes under an older name, with more syllables than that has."""

REMEDIES = {
    errno.ENOENT: "check the name and the folder",
    errno.ENOTDIR: "check the name and the folder",
    errno.ENAMETOOLONG: "check the name and the folder",
    errno.EISDIR: "name the file in it",
    errno.EACCES: "ask its owner for the right to read it",
}


def codec_named(encoding: str) -> str:
    """Python's own name of a text encoding; BOMs are looked for in any case, so utf-8-sig is just utf-8.

    Raises:
        InvalidCsv: Python does not know it as a text encoding.
    """
    try:
        "a".encode(encoding)
    except (LookupError, UnicodeError, ValueError) as fault:
        raise _unknown_codec(encoding) from fault
    name = codecs.lookup(encoding).name
    if name in NOT_FOR_FILES:
        raise _unknown_codec(encoding)
    return EXTENDED.get(name, name.removesuffix("-sig"))


def _unknown_codec(encoding: str) -> InvalidCsv:
    return InvalidCsv(f"unknown encoding {quoted(encoding)}; try utf-8, cp949 or utf-16")


def shown_path(path: Path) -> str:
    """A path as text that can be stored and printed everywhere: bytes that are not UTF-8 as hexadecimal digits."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def sha256_of(path: Path) -> str:
    """Digest of the file's bytes in hexadecimal digits.

    Raises:
        InvalidCsv: the file cannot be opened, or cannot be read twice.
    """
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InvalidCsv(f"{path}: a pipe or a device, which cannot be read twice; save it as a file first")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as fault:
        raise _unreadable(path, fault) from fault


@contextmanager
def open_text(path: Path, codec: str) -> Iterator[tuple[TextIOWrapper, bool]]:
    """Open the file behind its BOM, line ends untouched, and say whether there was a BOM.

    Raises:
        InvalidCsv: it cannot be opened, is of another kind, or holds bytes that are not `codec`.
    """
    try:
        with path.open("rb") as raw:
            start = raw.read(FIRST_BYTES)
        file = path.open(encoding=codec, newline="", errors=error_handler(codec))
    except OSError as fault:
        raise _unreadable(path, fault) from fault
    with file:
        refuse_other_kinds(path, start)
        _refuse_other_marks(path, codec, start)
        try:
            bom = file.read(1) == BOM
            if not bom:
                file.seek(0)
            yield file, bom
        except UnicodeError as fault:
            raise undecodable(path, codec) from fault


def _refuse_other_marks(path: Path, codec: str, start: bytes) -> None:
    if start.startswith(UTF32_MARKS) and not codec.startswith("utf-32"):
        raise InvalidCsv(f"{path.name}: begins with the mark of UTF-32\n{hints.encoding('utf-32', path)}")
    if start.startswith(UTF16_MARKS) and not codec.startswith(("utf-16", "utf-32")):
        raise InvalidCsv(f"{path.name}: begins with the mark of UTF-16\n{hints.encoding('utf-16', path)}")
    if start.startswith(codecs.BOM_UTF8) and codec != "utf-8":
        hint = hints.encoding("utf-8", path)
        raise InvalidCsv(f"{path.name}: begins with the mark of UTF-8, so it is not {codec}\n{hint}")


def _unreadable(path: Path, fault: OSError) -> InvalidCsv:
    remedy = REMEDIES.get(fault.errno or 0, "copy it to another disk")
    return InvalidCsv(f"{path}: cannot be read: {fault.strerror}; {remedy}")
