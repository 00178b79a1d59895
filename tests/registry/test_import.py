"""Registering checkpoint folders that were made elsewhere."""

import shutil

import pytest

from relex.db import model_versions as versions
from relex.errors import BadCheckpoint, InvalidInput
from relex.labels import RELATIONS
from relex.model import folder
from relex.registry import model_versions
from relex.registry.importing import import_folder


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of the checkpoint that ships with relex."""
    return shutil.copytree(model_versions.SHIPPED / "starter", tmp_path / "mine")


def test_an_imported_folder_is_a_version_that_can_be_located(database, settings, checkpoint):
    parts = sorted(path.name for path in checkpoint.iterdir())
    (checkpoint / "notes.txt").write_text("not part of it")
    version = import_folder(database, settings, checkpoint, "mine")
    assert (str(version), version.current) == ("mine@1", False)
    place = model_versions.locate(database, settings, "mine")
    assert sorted(path.name for path in place.iterdir()) == parts
    assert checkpoint.is_dir()
    assert version.scores[0].micro_f1 > 70


def test_the_same_folder_twice_is_one_version(database, settings, checkpoint):
    first, second = (import_folder(database, settings, checkpoint, "mine") for _ in range(2))
    assert str(first) == str(second)
    assert list((settings.home / "models" / ".unfinished").iterdir()) == []


@pytest.mark.parametrize("name", ["model.pth", "labels.pkl"])
def test_pickled_files_are_refused_unread(database, settings, checkpoint, name):
    (checkpoint / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(BadCheckpoint, match=f"{name} can run code"):
        import_folder(database, settings, checkpoint, "mine")


def test_another_architecture_is_refused_with_what_to_do(database, settings, checkpoint):
    config = checkpoint / folder.CONFIG
    config.write_text(config.read_text("utf-8").replace('"model_type": "relex"', '"model_type": "bert"'), "utf-8")
    with pytest.raises(BadCheckpoint, match=r"model_type bert .* `relex train"):
        import_folder(database, settings, checkpoint, "mine")


def test_a_name_that_would_leave_the_folder_is_refused(database, settings, checkpoint):
    with pytest.raises(InvalidInput, match="--name"):
        import_folder(database, settings, checkpoint, "../mine")


def test_a_note_is_kept_with_the_version_that_it_is_about(database):
    with database.transaction() as tx:
        versions.register(tx, "plain", RELATIONS, {"config.json": "0"})
        versions.register(tx, "noted", RELATIONS, {"config.json": "1"}, note="worse than its best member")
    assert {version.name: version.note for version in model_versions.every(database)} == {
        "plain": None,
        "noted": "worse than its best member",
    }
