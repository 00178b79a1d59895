"""From bytes to text: encodings, byte order marks, and the position of bytes that do not decode.

The majority of its lines decides whether a file is in the given encoding; in such a file a line that does not decode is
an invalid row.
"""

import codecs
import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from relex.errors import InvalidCsv, quoted
from relex.files.formats import FIRST_BYTES, refuse_other_kinds
from relex.hints import tables as hints

BOM = "\ufeff"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
"""The first one begins with the mark of UTF-16, so these are checked first."""
NOT_FOR_FILES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape"})
"""Python's codecs for host names and source code, which can decode almost any file."""
EXTENDED = {"euc_kr": "cp949"}
"""Encodings that are read as a larger one: Korean Windows writes CP949 under the older name."""

ERRNO_HINTS = {
    errno.ENOENT: "check the name and the folder",
    errno.ENOTDIR: "check the name and the folder",
    errno.ENAMETOOLONG: "check the name and the folder",
    errno.EISDIR: "name the file in it",
    errno.EACCES: "ask its owner for the right to read it",
}

SAMPLE_BYTES = 1 << 16
BLOCK_BYTES = 1 << 20
BY_LINES = ("utf-8", "cp949")
"""Encodings in which a broken byte spoils only its own row: it becomes a lone surrogate, which no row may hold."""
ESCAPED = re.compile("[\udc80-\udcff]")
ESCAPE_BASE = 0xDC00


def codec_named(encoding: str) -> str:
    """Return Python's name of a text encoding; utf-8-sig becomes utf-8, because BOMs are always detected.

    Raises:
        InvalidCsv: it is not a text encoding of Python.
    """
    try:
        "a".encode(encoding)
    except (LookupError, UnicodeError, ValueError) as error:
        raise _unknown_codec(encoding) from error
    name = codecs.lookup(encoding).name
    if name in NOT_FOR_FILES:
        raise _unknown_codec(encoding)
    return EXTENDED.get(name, name.removesuffix("-sig"))


def _unknown_codec(encoding: str) -> InvalidCsv:
    return InvalidCsv(f"unknown encoding {quoted(encoding)}; try utf-8, cp949 or utf-16")


def shown_path(path: Path) -> str:
    """Return a path as text that can be stored and printed; bytes that are not UTF-8 become hexadecimal digits."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        InvalidCsv: the file cannot be opened, or cannot be read twice.
    """
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InvalidCsv(f"{path}: a pipe or a device, which cannot be read twice; save it as a file first")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


@contextmanager
def open_text(path: Path, codec: str) -> Iterator[tuple[TextIOWrapper, bool]]:
    """Open a file after its BOM with its line ends unchanged, and return whether it has a BOM.

    Raises:
        InvalidCsv: it cannot be opened, is not a CSV, or holds bytes that are not `codec`.
    """
    try:
        with path.open("rb") as raw:
            start = raw.read(FIRST_BYTES)
        file = path.open(encoding=codec, newline="", errors=error_handler(codec))
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        refuse_other_kinds(path, start)
        _refuse_other_marks(path, codec, start)
        try:
            bom = file.read(1) == BOM
            if not bom:
                file.seek(0)
            yield file, bom
        except UnicodeError as error:
            raise undecodable(path, codec) from error


def _refuse_other_marks(path: Path, codec: str, start: bytes) -> None:
    if start.startswith(UTF32_MARKS) and not codec.startswith("utf-32"):
        raise InvalidCsv(f"{path.name}: begins with the mark of UTF-32\n{hints.encoding('utf-32', path)}")
    if start.startswith(UTF16_MARKS) and not codec.startswith(("utf-16", "utf-32")):
        raise InvalidCsv(f"{path.name}: begins with the mark of UTF-16\n{hints.encoding('utf-16', path)}")
    if start.startswith(codecs.BOM_UTF8) and codec != "utf-8":
        hint = hints.encoding("utf-8", path)
        raise InvalidCsv(f"{path.name}: begins with the mark of UTF-8, so it is not {codec}\n{hint}")


def _unreadable(path: Path, error: OSError) -> InvalidCsv:
    hint = ERRNO_HINTS.get(error.errno or 0, "copy it to another disk")
    return InvalidCsv(f"{path}: cannot be read: {error.strerror}; {hint}")


def error_handler(codec: str) -> str:
    """Return Python's error handler for bytes that do not decode."""
    return "surrogateescape" if codec in BY_LINES else "strict"


def broken_byte(texts: Sequence[str], codec: str) -> int | None:
    """Return the first byte of a record that did not decode, or None."""
    if codec not in BY_LINES:
        return None
    match = next(filter(None, map(ESCAPED.search, texts)), None)
    return ord(match[0]) - ESCAPE_BASE if match else None


def refuse_other_encodings(path: Path, codec: str) -> None:
    """Refuse a file if most of its lines that are not ASCII do not decode.

    Raises:
        InvalidCsv: with the first such line, and an encoding that fits, if there is one.
    """
    sample = _sample(path)
    if codec in BY_LINES and _wide(sample):
        raise InvalidCsv(f"{path.name}: this is UTF-16 without its mark\n{hints.encoding(str(_wide(sample)), path)}")
    if codec in BY_LINES and not _fits(sample, codec):
        raise undecodable(path, codec)


def undecodable(path: Path, codec: str) -> InvalidCsv:
    """Read the file again, and return an error with the line and byte where decoding fails."""
    sample = _sample(path)
    fitting = _wide(sample) or next((name for name in BY_LINES if _fits(sample, name)), codec)
    hint = hints.ANY_ENCODING if fitting == codec else hints.encoding(fitting, path)
    return InvalidCsv(f"{path.name}: {_first_error(path, codec)}\n{hint}")


def _sample(path: Path) -> bytes:
    """Read the first whole lines."""
    with path.open("rb") as file:
        block = file.read(SAMPLE_BYTES)
    return block if len(block) < SAMPLE_BYTES else block[: block.rfind(b"\n") + 1]


def _fits(sample: bytes, codec: str) -> bool:
    """Return whether at least half of the lines that are not ASCII are in this encoding."""
    lines = [line for line in sample.splitlines() if not line.isascii()]
    return 2 * sum(_decodes(line, codec) for line in lines) >= len(lines)


def _decodes(line: bytes, codec: str) -> bool:
    try:
        line.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _wide(sample: bytes) -> str | None:
    """Return the variant of UTF-16 in which most commas and tabs are written, or None."""
    marks = sum(sample.count(mark) for mark in (b",", b"\t"))
    wide = sum(sample.count(mark) for mark in (b"\0,\0", b"\0\t\0"))
    if 2 * wide <= marks:
        return None
    return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"


def _first_error(path: Path, codec: str) -> str:
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
    with path.open("rb") as file:
        while True:
            block = file.read(BLOCK_BYTES)
            try:
                line += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as exc:
                line += exc.object[: exc.start].decode(codec, "replace").count("\n")
                return f"line {line}: byte 0x{exc.object[exc.start]:02x} is not {codec}"
            except UnicodeError as exc:  # UTF-16 and UTF-32 without their BOM
                return str(exc)
            if not block:
                return "changed while it was read; submit it again"
