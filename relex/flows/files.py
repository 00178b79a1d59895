"""How flows write plain data: JSON that a person can read, whole or not at all."""

import json
from pathlib import Path

from relex.csvfile.files import replacing


def write_json(path: Path, content: object) -> Path:
    """Write plain data and return where.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    with replacing(path) as file:
        file.write((json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())
    return path
