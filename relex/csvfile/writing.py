"""Predictions and row errors as CSVs, and how any file is written here: whole or not at all."""

import codecs
import csv
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from relex.errors import RelexError

PREDICTION_HEADER = b"id,pred_label,probs\n"
ERROR_HEADER = ("id", "code", "message")

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EISDIR)
"""Disk full, quota used up, file too large, a folder of that name: never the fault of what is being written."""


def write_predictions(path: Path, blocks: Iterable[bytes | bytearray | memoryview]) -> int:
    """Write the header, then the blocks as they come: CSV text in UTF-8 as Postgres' COPY delivers it.

    Returns:
        Bytes written, header included.

    Raises:
        RelexError: the folder cannot be written to or the disk is full. `path` then is as it was before, and
            so it is when `blocks` fails.
    """
    with replacing(path) as file:
        written = file.write(PREDICTION_HEADER)
        for block in blocks:
            written += file.write(block)
    return written


def write_errors(path: Path, errors: Iterable[tuple[str, str, str]]) -> None:
    """Write why rows have no prediction: (id, code, message) each.

    Raises:
        RelexError: as for :func:`write_predictions`.
    """
    with replacing(path) as file:
        writer = csv.writer(codecs.getwriter("utf-8")(file), lineterminator="\n")
        writer.writerow(ERROR_HEADER)
        writer.writerows(errors)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A draft in the same folder, which takes the place of `path` only when the block ends well.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    draft = path.with_name(f".relex-{uuid4().hex}.tmp")
    try:
        file = draft.open("xb")
    except OSError as fault:
        raise _unwritable(path, fault) from fault
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as fault:
        if fault.errno in UNWRITABLE:
            raise _unwritable(path, fault) from fault
        raise
    finally:
        draft.unlink(missing_ok=True)


def _unwritable(path: Path, fault: OSError) -> RelexError:
    return RelexError(f"{path}: cannot be written: {fault.strerror}")
