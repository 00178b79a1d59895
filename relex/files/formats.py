"""Files that are not CSVs: recognized by their first bytes, with a hint for each kind."""

import codecs
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from relex.errors import InvalidCsv
from relex.hints import tables as hints

FIRST_BYTES = 4096
"""Number of bytes that are read to recognize a file."""
WORKBOOK_PART = b"[Content_Types].xml"
"""The first file in the zip archive of an Excel workbook."""
JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*(\[\s*[\[{\"\d\]]|\{\s*[\"}])")
JSON_LINE = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{[^\n]*\}\s*\n\s*\{")


class Kind(NamedTuple):
    """A kind of file, and a function that makes its hint from a path."""

    name: str
    hint: Callable[[Path], str] = lambda _: hints.SAVE_AS_CSV


MARKS: dict[bytes, Kind] = {
    b"\xd0\xcf\x11\xe0": Kind("an old Excel workbook"),
    b"\x1f\x8b": Kind("gzip", lambda path: hints.unpack("gzip", path)),
    b"BZh": Kind("bzip2", lambda path: hints.unpack("bzip2", path)),
    b"\xfd7zXZ\x00": Kind("xz", lambda path: hints.unpack("xz", path)),
    b"\x28\xb5\x2f\xfd": Kind("zstd", lambda path: hints.unpack("zstd", path)),
    b"7z\xbc\xaf\x27\x1c": Kind("a 7z archive", lambda _: hints.UNPACK_ARCHIVE),
    b"%PDF-": Kind("PDF", lambda _: hints.NO_TABLE),
    b"PAR1": Kind("Parquet", lambda _: hints.EXPORT_AS_CSV),
    b"ARROW1": Kind("Arrow", lambda _: hints.EXPORT_AS_CSV),
    b"SQLite format 3\0": Kind("an SQLite database", lambda _: hints.EXPORT_AS_CSV),
    b"<!DOC": Kind("a web page", lambda _: hints.NO_TABLE),
    b"<html": Kind("a web page", lambda _: hints.NO_TABLE),
    b"<?xml": Kind("XML", lambda _: hints.EXPORT_AS_CSV),
}


def refuse_other_kinds(path: Path, start: bytes) -> None:
    """Refuse a file that is not a CSV.

    Raises:
        InvalidCsv: with the kind of the file and a hint.
    """
    kind = _kind(start)
    if kind:
        raise InvalidCsv(f"{path.name}: this is {kind.name}, not a CSV\n{kind.hint(path)}")


def _kind(start: bytes) -> Kind | None:
    if start.startswith(b"PK\x03\x04"):
        workbook = WORKBOOK_PART in start or b"xl/" in start
        return Kind("an Excel workbook") if workbook else Kind("a zip archive", lambda _: hints.UNPACK_ARCHIVE)
    if JSON_LINE.match(start):
        return Kind("JSON Lines", lambda path: hints.from_json(path, lines=True))
    if JSON.match(start):
        return Kind("JSON", lambda path: hints.from_json(path, lines=False))
    bare = start.removeprefix(codecs.BOM_UTF8).lstrip()
    return next((kind for mark, kind in MARKS.items() if start.startswith(mark) or bare.startswith(mark)), None)
