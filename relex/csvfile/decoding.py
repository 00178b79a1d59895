"""Is a file in the encoding it was said to be in? The majority of its lines decides; an odd line is a bad row."""

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

from relex.errors import InvalidCsv
from relex.hints import tables as hints

SAMPLE_BYTES = 1 << 16
BLOCK_BYTES = 1 << 20
BY_LINES = ("utf-8", "cp949")
"""Encodings in which a broken byte spoils its own row only: it becomes a lone surrogate, which no row may hold."""
ESCAPED = re.compile("[\udc80-\udcff]")
ESCAPE_BASE = 0xDC00


def error_handler(codec: str) -> str:
    """What becomes of bytes that do not decode, as Python calls it."""
    return "surrogateescape" if codec in BY_LINES else "strict"


def broken_byte(texts: Sequence[str], codec: str) -> int | None:
    """The first byte in a record that did not decode."""
    if codec not in BY_LINES:
        return None
    found = next(filter(None, map(ESCAPED.search, texts)), None)
    return ord(found[0]) - ESCAPE_BASE if found else None


def refuse_other_encodings(path: Path, codec: str) -> None:
    """Refuse a file of which most lines that are not ASCII do not decode.

    Raises:
        InvalidCsv: with the first such line, and the encoding that fits if one does.
    """
    sample = _sample(path)
    if codec in BY_LINES and _wide(sample):
        raise InvalidCsv(f"{path.name}: this is UTF-16 without its mark\n{hints.encoding(str(_wide(sample)), path)}")
    if codec in BY_LINES and not _fits(sample, codec):
        raise undecodable(path, codec)


def undecodable(path: Path, codec: str) -> InvalidCsv:
    """Go through the file once more to name line and byte of the place where decoding fails."""
    sample = _sample(path)
    fitting = _wide(sample) or next((name for name in BY_LINES if _fits(sample, name)), codec)
    hint = hints.ANY_ENCODING if fitting == codec else hints.encoding(fitting, path)
    return InvalidCsv(f"{path.name}: {_first_fault(path, codec)}\n{hint}")


def _sample(path: Path) -> bytes:
    """The first whole lines."""
    with path.open("rb") as file:
        block = file.read(SAMPLE_BYTES)
    return block if len(block) < SAMPLE_BYTES else block[: block.rfind(b"\n") + 1]


def _fits(sample: bytes, codec: str) -> bool:
    """Whether at least half of the lines that are not ASCII are in this encoding."""
    lines = [line for line in sample.splitlines() if not line.isascii()]
    return 2 * sum(_decodes(line, codec) for line in lines) >= len(lines)


def _decodes(line: bytes, codec: str) -> bool:
    try:
        line.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _wide(sample: bytes) -> str | None:
    """The kind of UTF-16 in which most commas and tabs are written, if it is one."""
    marks = sum(sample.count(mark) for mark in (b",", b"\t"))
    wide = sum(sample.count(mark) for mark in (b"\0,\0", b"\0\t\0"))
    if 2 * wide <= marks:
        return None
    return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"


def _first_fault(path: Path, codec: str) -> str:
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
