"""Files that a program compressed: recognized by their first bytes, and read without unpacking them to disk."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from relex.errors import InvalidCsv
from relex.files.paths import unreadable

MARKS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
BUFFER_BYTES = 1 << 17
PACKED_BYTES = 4096
"""Number of compressed bytes that are unpacked at once; few, because they may stand for very many."""
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, gzip.BadGzipFile)


def compression_of(start: bytes) -> str:
    """Return the program that compressed a file with these first bytes; empty if none did."""
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), "")


class _Zstd(io.RawIOBase):
    """The content of a file of zstd, which may consist of several frames.

    The library's own reader takes a file that is cut off for a whole one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._content = b""
        self._packed = b""

    def readable(self) -> bool:
        """Return True: this is what :class:`io.BufferedReader` asks for."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the next bytes, and return how many there are.

        Raises:
            EOFError: the file ends within a frame.
        """
        while not self._content:
            packed = self._packed or self._file.read(PACKED_BYTES)
            if self._frame.eof and packed:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            elif not packed:
                if not self._frame.eof:
                    raise EOFError("it is cut off")
                return 0
            self._content = self._frame.decompress(packed)
            self._packed = self._frame.unused_data
        part, self._content = self._content[: len(buffer)], self._content[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


OPENERS: dict[str, Callable[[BinaryIO], io.BufferedIOBase]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "zstd": lambda file: io.BufferedReader(_Zstd(file), BUFFER_BYTES),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}


@contextmanager
def open_bytes(path: Path, name: str, compression: str) -> Iterator[BinaryIO]:
    """Open the content of a file, unpacked.

    Args:
        path: where the file is.
        name: what messages call it.
        compression: as :func:`compression_of` returned it.

    Raises:
        InvalidCsv: it cannot be opened, or what was compressed is damaged or cut off.
    """
    try:
        file = path.open("rb")
    except OSError as exc:
        raise unreadable(name, exc) from exc
    with file:
        try:
            yield cast("BinaryIO", OPENERS[compression](file)) if compression else file
        except DAMAGED as exc:
            raise InvalidCsv(
                f"{name}: {compression} cannot unpack it: {exc}; copy it again from where it came"
            ) from exc
