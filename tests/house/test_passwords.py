"""`make passwords` makes what docker-compose.yml reads from .env, once, and the folder that containers write to."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from relex.settings import Settings
from tests.house.test_compose import PASSWORDS
from tests.processes import ROOT


def make_passwords(folder):
    command = ["make", "-s", "--file", ROOT / "Makefile", "passwords"]
    return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)


def values_of(folder):
    return dict(line.split("=") for line in (folder / ".env").read_text().splitlines())


def test_passwords_are_made_once_and_for_nobody_else(tmp_path):
    assert make_passwords(tmp_path).returncode == 0
    values = values_of(tmp_path)
    uid = str(os.geteuid() or 1000)
    assert values.pop("RELEX_UID") == uid
    assert set(values) == set(PASSWORDS)
    assert len(set(values.values())) == len(PASSWORDS)
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in values.values())
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "outputs").stat().st_uid == int(uid)
    assert Settings.from_env({}, tmp_path).database_url is None
    assert make_passwords(tmp_path).returncode == 0
    assert values_of(tmp_path) == values | {"RELEX_UID": uid}


def test_an_env_file_from_earlier_gets_what_it_lacks(tmp_path):
    """The last line has no end, one password is empty, and another is of an earlier version."""
    (tmp_path / ".env").write_text("RELEX_POSTGRES_PORT=5555\nRELEX_REDIS_PASSWORD=\nRELEX_OWNER_PASSWORD=earlier")
    assert make_passwords(tmp_path).returncode == 0
    values = values_of(tmp_path)
    assert set(values) == {*PASSWORDS, "RELEX_UID", "RELEX_POSTGRES_PORT"}
    assert values["RELEX_OWNER_PASSWORD"] == "earlier"
    assert values["RELEX_REDIS_PASSWORD"]
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_named_with_what_helps():
    """An earlier version let the daemon make it, as root."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder, "outputs")
        outputs.mkdir()
        os.chown(folder, 65534, 65534)
        shutil.copy(ROOT / "Makefile", folder)
        command = ["make", "-s", "passwords"]
        refused = subprocess.run(command, check=False, cwd=folder, user=65534, capture_output=True, text=True)
        first, hint = refused.stderr.splitlines()[:2]
        assert (refused.returncode, first) == (2, "error: outputs/ belongs to another user")
        assert hint == 'hint: sudo chown "$(id -u)" outputs'
        advice = hint.removeprefix("hint: sudo ").replace(
            "$(id -u)", "65534"
        )  # which the user's shell does before sudo
        subprocess.run(["sh", "-c", advice], check=True, cwd=folder)
        assert subprocess.run(command, check=False, cwd=folder, user=65534).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_made_by_root_the_folder_is_the_users_that_the_env_file_names(tmp_path):
    (tmp_path / ".env").write_text("RELEX_UID=1234\n")
    assert make_passwords(tmp_path).returncode == 0
    assert (tmp_path / "outputs").stat().st_uid == 1234
