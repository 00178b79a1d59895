"""The section of a model card about the calibration. This module imports no numpy, so that flows can use it."""

from relex.domain.calibration import Calibration
from relex.errors import InvalidInput

MIN_ROWS = 200
"""Minimum number of labeled rows of a calibration; from fewer nothing is claimed."""


def require_rows(rows: int) -> None:
    """Refuse a labeled file that is too small for a calibration.

    Raises:
        InvalidInput: it is.
    """
    if rows < MIN_ROWS:
        raise InvalidInput(f"a calibration needs {MIN_ROWS} labeled rows, and the file has {rows:,}; give a larger one")


def calibration_text(calibration: Calibration | None, file_name: str) -> str:
    """Describe a calibration for the model card: what three probabilities meant on the labeled file."""
    if calibration is None:
        return (
            f"Not measured: it takes {MIN_ROWS} labeled rows that the model was not trained on. Nothing is said about "
            "how far its predictions may be believed; `relex models calibrate NAME --on FILE` measures it."
        )
    shares = [f"{100 * calibration.confidence(each):.0f}% at {each:g}" for each in (0.5, 0.7, 0.9)]
    held_out = ", which no member was trained or chosen on" if calibration.out_of_fold else ""
    return (
        f"On {file_name} ({calibration.validated.rows:,} rows{held_out}), {calibration.accuracy:.1f}% of the labels "
        f"are right. By the highest probability of a row, these are {', '.join(shares)}. The curves are in "
        "`calibration.json`; relex shows a confidence that is calibrated by them and leaves the probabilities as they "
        "are."
    )
