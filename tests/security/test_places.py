"""What relex writes on a machine that others use too: a home folder of one's own, nothing in a shared place."""

import os
import stat

import pytest

from relex.embedded.users import use
from relex.registry.workspace import staging_folder
from relex.settings import Settings, make_home
from worker.background import lock_of


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("user", [0, 1000])
@pytest.mark.parametrize(
    "make", [lambda it: lock_of(it, "score", 0), lambda it: staging_folder(it, "x").__enter__()], ids=["lock", "draft"]
)
def test_a_new_home_is_its_owners_alone(tmp_path, monkeypatch, make, user):
    monkeypatch.setattr("os.geteuid", lambda: user)
    home = tmp_path / "deep" / "home"
    make(Settings(home=home))
    # Root's Postgres runs as nobody and passes through; it can neither list nor read.
    assert mode(home) == (0o700 if user else 0o711)
    assert {mode(home / part) for part in ("logs", "models")} == {0o700}


def test_a_home_that_is_there_keeps_its_mode(tmp_path):
    home = tmp_path / "shared"
    home.mkdir(mode=0o770)
    make_home(home)
    assert mode(home) == 0o770
    assert not list(home.iterdir())


def test_the_embedded_postgres_keeps_to_folders_of_its_own(tmp_path):
    home = tmp_path / "home"
    with use(home):
        assert mode(home / "postgres") == 0o700
        assert mode(home) in (0o700, 0o711)
        assert mode(home / "logs") == 0o700
