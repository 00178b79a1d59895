"""The calibration of a checkpoint as a file in its folder."""

import re
from pathlib import Path
from uuid import uuid4

from relex.domain.calibration import Calibration
from relex.errors import BadCheckpoint
from relex.model.folder import CALIBRATION, MODEL_CARD

HEADING = "## Calibration"


def read_calibration(folder: Path) -> Calibration | None:
    """Read the calibration of a checkpoint; None if it has none.

    Raises:
        BadCheckpoint: the file is damaged or none of relex's own.
    """
    path = folder / CALIBRATION
    if not path.is_file():
        return None
    try:
        return Calibration.from_json(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as exc:
        raise BadCheckpoint(f"{path}: {exc}; restore the folder") from exc


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write the calibration into a checkpoint folder that is not registered yet; it appears whole or not at all."""
    _replace(folder / CALIBRATION, calibration.to_json())


def describe_calibration(folder: Path, words: str) -> None:
    """Write the section about the calibration into the model card, where there is one; an earlier one is replaced."""
    card = folder / MODEL_CARD
    if not card.is_file():
        return
    sections = re.split(r"^(?=## )", card.read_text("utf-8"), flags=re.MULTILINE)
    rest = [each for each in sections if not each.startswith(f"{HEADING}\n")]
    rest.append(f"\n{HEADING}\n\n{words}\n" if len(rest) == len(sections) else f"{HEADING}\n\n{words}\n")
    _replace(card, "".join(rest))


def _replace(path: Path, text: str) -> None:
    """Write a file beside its place and move it there, so that it is whole at any moment."""
    staging = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        staging.write_text(text, "utf-8")
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)
