"""From bytes to text: which encoding a file is in, and where bytes do not decode.

The first lines that are not ASCII decide. What decodes strictly as UTF-8 is UTF-8; what does not, but is strict CP949
and mostly everyday Hangul, is CP949; where both readings make sense, or none does, the user must say. In UTF-8 and
CP949 a line that does not decode is an invalid row, as long as most lines do.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from relex.errors import InvalidCsv, quoted
from relex.files.forms.compression import open_bytes
from relex.hints import tables as hints

BOM = "\ufeff"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UTF32_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
"""The first one begins with the mark of UTF-16, so these are checked first."""
NOT_FOR_FILES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape"})
"""Python's codecs for host names and source code, which can decode almost any file."""
EXTENDED = {"euc_kr": "cp949"}
"""Encodings that are read as a larger one: Korean Windows writes CP949 under the older name."""

SAMPLE_BYTES = 1 << 16
"""Number of bytes of lines that are not ASCII that decide the encoding."""
BLOCK_BYTES = 1 << 20
MIN_HANGUL_SHARE = 0.7
"""Share of everyday Hangul among the characters of Korean text that are not ASCII; Chinese read as CP949 has less."""
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
    except (LookupError, UnicodeError, ValueError) as exc:
        raise _unknown_codec(encoding) from exc
    name = codecs.lookup(encoding).name
    if name in NOT_FOR_FILES:
        raise _unknown_codec(encoding)
    return EXTENDED.get(name, name.removesuffix("-sig"))


def _unknown_codec(encoding: str) -> InvalidCsv:
    return InvalidCsv(f"unknown encoding {quoted(encoding)}; try utf-8, cp949 or utf-16")


def marked_codec(start: bytes) -> str:
    """Return the encoding whose mark stands at the beginning of a text; empty if there is none."""
    if start.startswith(UTF32_MARKS):
        return "utf-32"
    if start.startswith(UTF16_MARKS):
        return "utf-16"
    return "utf-8" if start.startswith(codecs.BOM_UTF8) else ""


def recognize_codec(path: Path, name: str, compression: str, start: bytes) -> str:
    """Return the encoding of a text.

    Raises:
        InvalidCsv: it is ambiguous or unknown; the message ends with the options that work.
    """
    marked = marked_codec(start)
    if marked:
        return marked
    with open_bytes(path, name, compression) as file:
        lines = list(_sample_lines(file))
    wide = wide_codec(start)
    if wide:
        raise InvalidCsv(f"{name}: this is UTF-16 without its mark\n{hints.encoding(wide)}")
    if _decodes(b"".join(lines), "utf-8"):
        if _is_korean(lines, "cp949") and not _hangul(b"".join(lines).decode()):
            raise InvalidCsv(
                f"{name}: may be UTF-8 or CP949: in CP949 it is Korean, in UTF-8 it is not\n{hints.AMBIGUOUS_ENCODING}"
            )
        return "utf-8"
    korean = _is_korean(lines, "cp949")
    if korean and _decodes(b"".join(lines), "cp949"):
        return "cp949"
    if _fits(lines, "utf-8"):
        return "utf-8"
    if korean and _fits(lines, "cp949"):
        return "cp949"
    raise undecodable(path, name, compression, "utf-8")


def require_codec(path: Path, name: str, compression: str, start: bytes, codec: str) -> None:
    """Refuse a text if its mark or most of its lines that are not ASCII show that it is in another encoding.

    Raises:
        InvalidCsv: with the first such line, and an encoding that fits, if there is one.
    """
    marked = marked_codec(start)
    if marked == "utf-8" and codec != "utf-8":
        hint = hints.encoding("utf-8")
        raise InvalidCsv(f"{name}: begins with the mark of UTF-8, so it is not {codec}\n{hint}")
    if marked not in ("", "utf-8") and not codec.startswith((marked, "utf-32")):
        raise InvalidCsv(f"{name}: begins with the mark of {marked.upper()}\n{hints.encoding(marked)}")
    if codec not in BY_LINES:
        return
    wide = wide_codec(start)
    if wide:
        raise InvalidCsv(f"{name}: this is UTF-16 without its mark\n{hints.encoding(wide)}")
    with open_bytes(path, name, compression) as file:
        fits = _fits(list(_sample_lines(file)), codec)
    if not fits:
        raise undecodable(path, name, compression, codec)


def undecodable(path: Path, name: str, compression: str, codec: str) -> InvalidCsv:
    """Read a text again, and return an error with the line and byte where decoding fails, and an encoding that fits."""
    with open_bytes(path, name, compression) as file:
        wide = wide_codec(file.read(SAMPLE_BYTES))
    with open_bytes(path, name, compression) as file:
        lines = list(_sample_lines(file))
    fitting = wide or next((each for each in BY_LINES if _fits(lines, each)), codec)
    hint = hints.ANY_ENCODING if fitting == codec or not _makes_sense(lines, fitting) else hints.encoding(fitting)
    with open_bytes(path, name, compression) as file:
        return InvalidCsv(f"{name}: {_first_error(file, codec)}\n{hint}")


def error_handler(codec: str) -> str:
    """Return Python's error handler for bytes that do not decode."""
    return "surrogateescape" if codec in BY_LINES else "strict"


def broken_byte(texts: Sequence[str], codec: str) -> int | None:
    """Return the first byte of a record that did not decode, or None."""
    if codec not in BY_LINES:
        return None
    match = next(filter(None, map(ESCAPED.search, texts)), None)
    return ord(match[0]) - ESCAPE_BASE if match else None


def wide_codec(sample: bytes) -> str:
    """Return the variant of UTF-16 in which most separators are written; empty if the text is not UTF-16."""
    separators = (b",", b"\t", b";", b"|")
    marks = sum(sample.count(mark) for mark in separators)
    wide = sum(sample.count(b"\0" + mark + b"\0") for mark in separators)
    if 2 * wide <= marks:
        return ""
    return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"


def _sample_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the first whole lines that are not ASCII, wherever they stand in the file."""
    size, rest = 0, b""
    while size < SAMPLE_BYTES:
        block = file.read(SAMPLE_BYTES)
        whole, end, cut = (rest + block).rpartition(b"\n") if block else (rest, b"", b"")
        rest = cut
        if not whole.isascii():
            for line in (whole + end).splitlines(keepends=True):
                if not line.isascii() and size < SAMPLE_BYTES:
                    size += len(line)
                    yield line
        if not block or len(rest) > MAX_LINE_BYTES:
            return


MAX_LINE_BYTES = 1 << 26
"""Number of bytes without a line end that are read to find the encoding."""


def _fits(lines: Sequence[bytes], codec: str) -> bool:
    """Return whether at least half of the lines are in this encoding."""
    return 2 * sum(_decodes(line, codec) for line in lines) >= len(lines)


def _decodes(text: bytes, codec: str) -> bool:
    try:
        text.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _makes_sense(lines: Sequence[bytes], codec: str) -> bool:
    return codec != "cp949" or _is_korean(lines, codec)


def _is_korean(lines: Iterable[bytes], codec: str) -> bool:
    """Return whether most characters that are not ASCII are everyday Hangul, in the lines that are in this encoding."""
    text = "".join(line.decode(codec) for line in lines if _decodes(line, codec))
    other = sum(not char.isascii() for char in text)
    return other > 0 and _hangul(text) >= MIN_HANGUL_SHARE * other


def _hangul(text: str) -> int:
    """Count the syllables among the 2,350 of KS X 1001, which make up nearly all of Korean text."""
    everyday = {char for char in set(text) if "가" <= char <= "힣" and len(char.encode("euc_kr")) == len("ab")}
    return sum(char in everyday for char in text)


def _first_error(file: BinaryIO, codec: str) -> str:
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
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
