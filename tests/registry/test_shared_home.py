"""Two databases that share one RELEX_HOME, as the default is one for all: neither loses a file to the other."""

import os
import shutil
from pathlib import Path

import pytest

from relex.db import model_versions as versions
from relex.db import runs
from relex.embedded import locks
from relex.errors import BadCheckpoint
from relex.model import folder
from relex.model.ensemble import EnsembleConfig, Vote, write_ensemble
from relex.registry import model_versions, workspace
from relex.registry.importing import import_folder
from relex.registry.workspace import remove_stale_workspaces, staging_folder
from tests.flows.fake_training import write_checkpoint


@pytest.fixture
def register(database, settings, tmp_path):
    """Register a checkpoint as NAME@1 of a database that knows no other; gives the version."""

    def register(score, name="tiny"):
        with database.transaction() as tx:
            tx.exec_driver_sql("TRUNCATE model_versions CASCADE")
        made = tmp_path / f"made-{len(list(tmp_path.iterdir()))}"
        write_checkpoint(made, score)
        with database.transaction() as tx:
            return model_versions.keep(tx, settings, name, model_versions.facts_of(made), made)

    return register


def files(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_the_same_name_and_number_of_another_database_takes_no_files_away(settings, register):
    mine = register(50)
    before = files(model_versions.checkpoint_folder(settings, mine))
    theirs = register(60)
    assert str(mine) == str(theirs) == "tiny@1"
    assert files(model_versions.checkpoint_folder(settings, mine)) == before
    assert files(model_versions.checkpoint_folder(settings, theirs)) != before


def test_the_same_checkpoint_in_both_databases_is_one_folder_that_stays(settings, register):
    place = model_versions.checkpoint_folder(settings, register(50))
    inode = (place / folder.WEIGHTS).stat().st_ino
    assert model_versions.checkpoint_folder(settings, register(50)) == place
    assert (place / folder.WEIGHTS).stat().st_ino == inode


def test_two_databases_that_register_the_same_checkpoint_at_once(settings, register, monkeypatch):
    """The other one's folder appears after this one looked."""
    mine = register(50)
    place = model_versions.version_dir(settings, mine)
    other = shutil.move(place, place.with_name("other"))
    look, looks = model_versions._holds, []

    def late(where, version):
        if not looks:
            shutil.move(other, place)
        looks.append(where)
        return len(looks) > 2 and look(where, version)

    monkeypatch.setattr(model_versions, "_holds", late)
    again = register(50)
    monkeypatch.undo()
    assert model_versions.checkpoint_folder(settings, again) == place
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_what_stands_in_the_place_of_a_version_is_moved_aside_and_not_lost(settings, register):
    place = model_versions.version_dir(settings, register(50))
    (place / folder.WEIGHTS).write_text("altered by hand")
    again = register(50)
    assert model_versions.checkpoint_folder(settings, again) == place
    [aside] = [path for path in place.parent.iterdir() if path != place]
    assert (aside / folder.WEIGHTS).read_text() == "altered by hand"


@pytest.mark.parametrize("altered", [False, True])
def test_a_checkpoint_of_the_old_layout_is_found_by_its_digests_and_left_where_it_is(settings, register, altered):
    version = register(50)
    numbered = settings.home / "models" / "tiny" / "1"
    shutil.move(model_versions.version_dir(settings, version), numbered)
    assert model_versions.checkpoint_folder(settings, version) == numbered
    assert model_versions.checkpoint_folder(settings, register(50)) == numbered
    if altered:
        (numbered / folder.WEIGHTS).write_text("altered")
        with pytest.raises(BadCheckpoint, match="altered since the model was registered"):
            model_versions.checkpoint_folder(settings, version)
    other = register(60)
    assert model_versions.checkpoint_folder(settings, other) == model_versions.version_dir(settings, other)
    assert numbered.is_dir()


def test_a_staging_that_somebody_works_on_stays_however_old_and_one_of_a_killed_command_goes(
    database, settings, tmp_path
):
    write_checkpoint(tmp_path / "member", 50)
    with staging_folder(settings, "both") as mine:
        write_ensemble(mine, [tmp_path / "member"] * 2, EnsembleConfig(vote=Vote.SOFT, members=("a", "b")), {})
        killed = shutil.copytree(mine.parent, mine.parent.with_name(f"both-{'0' * 32}"))
        earlier = killed.with_name(f".both-{'0' * 32}.{'1' * 32}")  # as an earlier relex left its drafts
        earlier.mkdir()
        for old in (mine.parent, killed, earlier):
            os.utime(old, (0, 0))
        remove_stale_workspaces(database, settings)
        assert mine.is_dir()
        assert not killed.exists()
        assert not earlier.exists()
    assert list(mine.parent.parent.iterdir()) == []


@pytest.mark.parametrize("moment", ["age", "lock"])
def test_stale_workspaces_that_another_process_removes_at_the_same_moment_are_no_error(
    database, settings, monkeypatch, moment
):
    """Another worker cleans up too: a folder may be gone after it was listed."""
    with database.transaction() as tx:
        ended = runs.insert_run(tx, "tiny", {}, "/")
        runs.cancel(tx, runs.find(tx, ended))
    place = settings.home / "models" / ".unfinished"
    names = [f"a-{'0' * 32}", f"b-{'1' * 32}", ended, f"{ended}.scratch"]
    for name in names:
        (place / name).mkdir(parents=True)
        os.utime(place / name, (0, 0))

    def gone_first(real):
        def call(path, *rest):
            for name in names:
                if Path(path).name == name or Path(path).parent.name == name:
                    shutil.rmtree(place / name, ignore_errors=True)
            return real(path, *rest)

        return call

    if moment == "age":
        monkeypatch.setattr(Path, "stat", gone_first(Path.stat))
    else:
        monkeypatch.setattr(locks, "is_free", gone_first(locks.is_free))
    remove_stale_workspaces(database, settings)
    monkeypatch.undo()
    assert list(place.iterdir()) == []


def test_a_registration_that_fails_leaves_no_copy(database, settings, tmp_path, monkeypatch):
    checkpoint = shutil.copytree(model_versions.SHIPPED / "starter", tmp_path / "mine")
    monkeypatch.setattr(versions, "register", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        import_folder(database, settings, checkpoint, "mine")
    with pytest.raises(ZeroDivisionError):
        model_versions.register_shipped(database, settings)
    assert list(workspace._folder(settings).iterdir()) == []
