"""From bytes to text: encodings, marks at the start of a file, and where a byte does not decode."""

import codecs
import errno
import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from relex.errors import InvalidCsv, quoted

BOM = "\ufeff"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
"""The first of them begins with UTF-16's mark, so these are looked for first."""
NOT_FOR_FILES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape"})
"""Python's names of codecs for host names and source code: they would make something of any file."""
BLOCK_BYTES = 1 << 20

NOT_CSV = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"%PDF-": "PDF",
    b"PAR1": "Parquet",
    b"<!DOC": "a web page",
    b"<html": "a web page",
}
"""First bytes of what people submit by mistake."""
LONGEST_MARK = max(map(len, NOT_CSV))
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
    return name.removesuffix("-sig")


def _unknown_codec(encoding: str) -> InvalidCsv:
    return InvalidCsv(f"unknown encoding {quoted(encoding)}; try utf-8, cp949 or utf-16")


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
            start = raw.read(LONGEST_MARK)
        file = path.open(encoding=codec, newline="")
    except OSError as fault:
        raise _unreadable(path, fault) from fault
    with file:
        _refuse_other_kinds(path, codec, start)
        try:
            bom = file.read(1) == BOM
            if not bom:
                file.seek(0)
            yield file, bom
        except UnicodeError as fault:
            raise InvalidCsv(_undecodable(path, codec)) from fault


def _refuse_other_kinds(path: Path, codec: str, start: bytes) -> None:
    kind = next((kind for mark, kind in NOT_CSV.items() if start.startswith(mark)), None)
    if kind:
        raise InvalidCsv(f"{path.name}: this is {kind}, not a CSV; save it as 'CSV UTF-8' or unpack it first")
    if start.startswith(UTF32_MARKS) and not codec.startswith("utf-32"):
        raise InvalidCsv(f"{path.name}: begins with the mark of UTF-32; try --encoding utf-32")
    if start.startswith(UTF16_MARKS) and not codec.startswith(("utf-16", "utf-32")):
        raise InvalidCsv(f"{path.name}: begins with the mark of UTF-16; try --encoding utf-16")
    if start.startswith(codecs.BOM_UTF8) and codec != "utf-8":
        raise InvalidCsv(f"{path.name}: begins with the mark of UTF-8, so it is not {codec}; use --encoding utf-8")


def _unreadable(path: Path, fault: OSError) -> InvalidCsv:
    remedy = REMEDIES.get(fault.errno or 0, "copy it to another disk")
    return InvalidCsv(f"{path}: cannot be read: {fault.strerror}; {remedy}")


def _undecodable(path: Path, codec: str) -> str:
    """Go through the file once more to tell line and byte of the place where decoding fails."""
    hint = "saved by Korean Excel? try --encoding cp949" if codec == "utf-8" else "try --encoding utf-8"
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
    with path.open("rb") as file:
        while True:
            block = file.read(BLOCK_BYTES)
            try:
                line += decoder.decode(block, final=not block).count("\n")
            except UnicodeDecodeError as fault:
                line += fault.object[: fault.start].decode(codec, "replace").count("\n")
                return f"{path.name}: line {line}: byte 0x{fault.object[fault.start]:02x} is not {codec}; {hint}"
            except UnicodeError as fault:  # UTF-16 and UTF-32 without their BOM
                return f"{path.name}: {fault}; {hint}"
            if not block:
                return f"{path.name}: changed while it was read; submit it again"
