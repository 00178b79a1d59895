"""Kinds of files, recognized by their first bytes: those that hold a table, and those that are refused with a hint."""

import codecs
import json
import re
from typing import NamedTuple

from relex.errors import InvalidCsv
from relex.hints import tables as hints

FIRST_BYTES = 4096
"""Number of bytes that are read to recognize a file."""
JSON = re.compile(rb"\s*(\[\s*[\[{\"\d\]]|\{\s*[\"}])")
WORKBOOK_PARTS = (b"[Content_Types].xml", b"xl/", b"opendocument.spreadsheet")
"""What stands at the beginning of the zip archive of a workbook of Excel or of an open document."""


class Kind(NamedTuple):
    """A kind of file that is refused, and its hint."""

    name: str
    hint: str = hints.EXPORT_AS_CSV


MARKS: dict[bytes, Kind] = {
    b"7z\xbc\xaf\x27\x1c": Kind("a 7z archive", hints.UNPACK_ARCHIVE),
    b"PK\x03\x04": Kind("a zip archive", hints.UNPACK_ARCHIVE),
    b"%PDF-": Kind("PDF", hints.NO_TABLE),
    b"ARROW1": Kind("Arrow"),
    b"SQLite format 3\0": Kind("an SQLite database"),
    b"<!DOC": Kind("a web page", hints.NO_TABLE),
    b"<html": Kind("a web page", hints.NO_TABLE),
    b"<?xml": Kind("XML"),
}
BINARY = {b"PAR1": "parquet", b"\xd0\xcf\x11\xe0": "xlsx"}


def format_of(start: bytes) -> str:
    """Return the format of a file with these first bytes, unpacked: one of `relex.files.options.FORMATS`."""
    for mark, format_ in BINARY.items():
        if start.startswith(mark):
            return format_
    if start.startswith(b"PK\x03\x04") and any(part in start for part in WORKBOOK_PARTS):
        return "xlsx"
    if JSON.match(_bare(start)):
        return "jsonl" if _has_json_line(_bare(start)) else "json"
    return "csv"


def refuse_other_kinds(name: str, start: bytes) -> None:
    """Refuse a file that holds no table, or one of a kind that relex does not read.

    Raises:
        InvalidCsv: with the kind of the file and a hint.
    """
    bare = _bare(start).lstrip()
    kind = next((kind for mark, kind in MARKS.items() if start.startswith(mark) or bare.startswith(mark)), None)
    if kind:
        raise InvalidCsv(f"{name}: this is {kind.name}, not a table\n{kind.hint}")


def _bare(start: bytes) -> bytes:
    """Return the beginning of a text as UTF-8 without its mark."""
    for mark, codec in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if start.startswith(mark):
            return start[len(mark) :].decode(codec, "replace").encode("utf-8", "replace")
    return start.removeprefix(codecs.BOM_UTF8)


def _has_json_line(start: bytes) -> bool:
    """Return whether one of the first lines is a JSON object of its own; a line that is cut off may be one."""
    if start.lstrip().startswith(b"["):
        return False
    whole, _, cut = start.rpartition(b"\n") if len(start) >= FIRST_BYTES // 2 else (start, b"", b"")
    if not whole:  # the first line is longer than what was read
        return b"\n" not in cut
    return any(map(_is_json_object, whole.splitlines()))


def _is_json_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode("utf-8", "replace")), dict)  # also a line in CP949
    except (ValueError, RecursionError):
        return False
