"""Calibrating a checkpoint folder that is not registered, such as the one that ships with relex.

`relex models calibrate` does the same for a registered version, from the predictions of an ordinary job.
"""

from pathlib import Path

from relex.domain.calibration import Calibration
from relex.evaluation.calibration import fit_calibration
from relex.evaluation.calibration_card import calibration_text, require_rows
from relex.files.paths import sha256_of
from relex.files.reading import read_labeled_examples
from relex.model.calibration import describe_calibration, write_calibration
from relex.training.validation import Validation, probabilities_of


def calibrate_folder(folder: Path, valid: Path, train: Path | None = None, device: str = "cpu") -> Calibration:
    """Measure what the probabilities of a checkpoint mean on a labeled file, and write `calibration.json` into it.

    Args:
        folder: a checkpoint or an ensemble; an earlier calibration is replaced.
        valid: labeled rows that it was not trained on.
        train: the rows that it was trained on, whose profile is kept.
        device: a torch device.

    Raises:
        InvalidCsv: labeled rows are invalid.
        InvalidInput: they are too few.
        BadCheckpoint: the folder cannot be read.
    """
    examples = read_labeled_examples(valid)
    require_rows(len(examples))
    probabilities, labels = probabilities_of(folder, Validation(examples, str(valid)), device)
    trained_on = read_labeled_examples(train) if train else []
    calibration = fit_calibration(examples, probabilities, labels, trained_on, sha256_of(valid))
    write_calibration(folder, calibration)
    describe_calibration(folder, calibration_text(calibration, valid.name))
    return calibration
