"""Every training calibrates its checkpoint on the validation examples, as far as these are enough."""

import random
from pathlib import Path

import pytest
import torch

from relex.errors import InvalidInput
from relex.files.paths import sha256_of
from relex.files.reading import read_labeled_examples
from relex.model.calibration import read_calibration
from relex.model.folder import CALIBRATION, MODEL_CARD, digests, members, read_metrics
from relex.training.calibrate import calibrate_folder
from relex.training.trainer import train
from tests.factories import write_csv
from tests.tiny_training import config, learnable, tiny_data

VALID_ROWS = 220


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory):
    """One thread, the recipe's files in the current folder."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("current"))
        write_csv(Path("train.csv"), tiny_data()[0])
        write_csv(Path("valid.csv"), valid())
        yield
    torch.set_num_threads(before)


def valid():
    generator = random.Random(5)
    return [learnable(row, generator) for row in range(VALID_ROWS)]


def trained(folder, examples, **changes):
    train(config(train={"epochs": 1, **changes}), tiny_data()[0], examples, folder, lambda _: None)
    return folder


@pytest.mark.parametrize("folds", [None, 2])
def test_the_calibration_is_of_the_saved_weights_and_the_validation_rows(tmp_path, folds):
    folder = trained(tmp_path / "tiny", valid(), folds=folds)
    calibration = read_calibration(folder)
    assert calibration.micro_f1 == pytest.approx(read_metrics(folder)["validation"]["micro_f1"])
    assert (calibration.validated.rows, calibration.trained.rows) == (VALID_ROWS, len(tiny_data()[0]))
    assert sum(calibration.validated.predicted.values()) == VALID_ROWS
    assert calibration.trained.predicted == {}
    assert calibration.out_of_fold is bool(folds)
    assert calibration.data_sha256 == sha256_of(Path("valid.csv"))
    assert CALIBRATION in digests(folder)
    assert [read_calibration(member) for member in members(folder)] == [None] * (folds or 0)
    assert f"## Calibration\n\nOn valid.csv ({VALID_ROWS} rows" in (folder / MODEL_CARD).read_text("utf-8")


def test_of_few_validation_rows_nothing_is_claimed(tmp_path):
    folder = trained(tmp_path / "tiny", valid()[:199])
    assert read_calibration(folder) is None
    assert CALIBRATION not in digests(folder)
    assert "## Calibration\n\nNot measured" in (folder / MODEL_CARD).read_text("utf-8")


def test_a_folder_can_be_calibrated_afterwards_as_the_training_would_have(tmp_path):
    folder = trained(tmp_path / "tiny", valid())
    before, card = read_calibration(folder), (folder / MODEL_CARD).read_text("utf-8")
    (folder / CALIBRATION).unlink()
    rows = read_labeled_examples(Path("valid.csv"))
    calibration = calibrate_folder(folder, Path("valid.csv"), Path("train.csv"))
    assert read_calibration(folder) == calibration
    assert calibration.confidence.knots == pytest.approx(before.confidence.knots, abs=1e-4)
    assert calibration.validated.rows == len(rows)
    assert (folder / MODEL_CARD).read_text("utf-8").count("## Calibration") == 1
    assert len((folder / MODEL_CARD).read_text("utf-8")) == pytest.approx(len(card), abs=20)


def test_too_few_rows_leave_the_folder_as_it_was(tmp_path):
    folder = trained(tmp_path / "tiny", valid()[:100])
    write_csv(Path("few.csv"), valid()[:100])
    names = sorted(path.name for path in folder.iterdir())
    with pytest.raises(InvalidInput, match="a calibration needs 200 labeled rows, and the file has 100"):
        calibrate_folder(folder, Path("few.csv"))
    assert sorted(path.name for path in folder.iterdir()) == names
