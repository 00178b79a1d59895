"""The checkpoints that come with relex: registered once, replaced by newer ones, never in the way of your own."""

import shutil

import pytest

from relex.model import folder
from relex.model.calibration import read_calibration
from relex.registry import model_versions
from tests.flows.fake_training import FakeTrainer, current, write_checkpoint


def test_shipped_checkpoints_are_registered_once_and_replaced_by_newer_ones(database, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(model_versions, "SHIPPED", tmp_path / "shipped")
    write_checkpoint(tmp_path / "shipped" / "starter", 1)
    assert not model_versions.shipped_is_registered(database)
    for _ in range(2):
        model_versions.register_shipped(database, settings)
    assert model_versions.shipped_is_registered(database)
    assert current(database) == "starter@1"
    (tmp_path / "shipped" / "starter" / folder.WEIGHTS).write_text("a better one")
    model_versions.register_shipped(database, settings)
    assert current(database) == "starter@2"
    for number in (1, 2):
        assert model_versions.locate(database, settings, f"starter@{number}").is_dir()


def test_a_version_that_was_trained_here_stays_current(database, settings, tmp_path, monkeypatch, train):
    train(FakeTrainer())
    monkeypatch.setattr(model_versions, "SHIPPED", tmp_path / "shipped")
    for weights in ("first", "second"):
        write_checkpoint(tmp_path / "shipped" / "tiny", 1)
        (tmp_path / "shipped" / "tiny" / folder.WEIGHTS).write_text(weights)
        model_versions.register_shipped(database, settings)
        shutil.rmtree(tmp_path / "shipped")
    assert current(database) == "tiny@1"


def test_a_shipped_calibration_is_of_the_scores_that_ship_with_it():
    calibrations = {path: read_calibration(path) for path in model_versions.shipped()}
    if not any(calibrations.values()):
        pytest.skip("no shipped checkpoint is calibrated")
    for checkpoint, calibration in calibrations.items():
        scores = model_versions.scores_of(checkpoint)
        assert (calibration.data_sha256, calibration.validated.rows) == (scores.data_sha256, scores.examples)
        assert calibration.micro_f1 == pytest.approx(scores.micro_f1, abs=0.1)
        assert calibration.trained.rows > calibration.validated.rows
