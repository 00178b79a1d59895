"""The calibration of a checkpoint as a file in its folder."""

from pathlib import Path
from uuid import uuid4

from relex.domain.calibration import Calibration
from relex.errors import BadCheckpoint
from relex.model.folder import CALIBRATION


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
    staging = folder / f".{CALIBRATION}.{uuid4().hex}"
    try:
        staging.write_text(calibration.to_json(), "utf-8")
        staging.replace(folder / CALIBRATION)
    finally:
        staging.unlink(missing_ok=True)
