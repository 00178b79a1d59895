"""The checkpoints that come with relex: registered once, replaced by newer ones, never in the way of your own."""

import shutil

from relex.model import folder
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
