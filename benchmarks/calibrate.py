"""Write calibration.json into a checkpoint folder, as for the starter that ships with relex.

.venv/bin/python -m benchmarks.calibrate CHECKPOINT --data KLUE_RE
"""

import argparse
import sys
from pathlib import Path

from relex.errors import RelexError
from relex.evaluation.calibration_card import calibration_text
from relex.training.calibrate import calibrate_folder


def main() -> None:
    """Calibrate one checkpoint on valid_data.csv, with the profile of train_data.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with train_ and valid_data.csv")
    options = parser.parse_args()
    valid, train = (options.data / f"{name}_data.csv" for name in ("valid", "train"))
    calibration = calibrate_folder(options.checkpoint, valid, train)
    print(calibration_text(calibration, valid.name))  # noqa: T201 - a script's output


if __name__ == "__main__":
    try:
        main()
    except RelexError as error:
        sys.exit(f"error: {error}")
