"""How flows write plain data: JSON that a person can read, whole or not at all."""

import json
import os
from pathlib import Path
from tempfile import TemporaryFile

from relex.csvfile.files import replacing
from relex.errors import RelexError


def write_json(path: Path, content: object) -> Path:
    """Write plain data and return where.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    with replacing(path) as file:
        file.write((json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())
    return path


def require_writable(folder: Path) -> None:
    """Refuse a folder that files cannot be written to, before the work whose results shall go there.

    A folder that is not there yet will be made; so the nearest one above it is tried. Nothing is left behind.

    Raises:
        RelexError: what the system says against it.
    """
    try:
        with TemporaryFile(dir=_nearest(folder.absolute())):
            return
    except OSError as error:
        raise RelexError(f"{folder}: cannot be written to: {error.strerror}") from error


def _nearest(folder: Path) -> Path:
    """Return the folder itself or the first above it that is there; a link to nowhere is there, and will be refused."""
    try:
        os.lstat(folder)
    except FileNotFoundError:
        return _nearest(folder.parent)
    return folder
