"""Where the embedded Postgres cannot run, one error says why and what would help, and nothing is damaged."""

import os
import pwd
import sys
from pathlib import Path

import pytest

from relex.embedded.layout import Places
from relex.embedded.users import use
from relex.errors import ServiceUnreachable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

ROOT = os.geteuid() == 0


def refusal(home):
    with pytest.raises(ServiceUnreachable) as report, use(home.path):
        pytest.fail("a Postgres was given")
    assert home.ended()
    return str(report.value)


def test_somebody_elses_socket_folder(home, tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    if ROOT:
        os.chown(theirs, 12345, 12345)
    monkeypatch.setattr(Places, "socket_folder", theirs if ROOT else Path("/usr"))
    assert "owns it: remove it, or set TMPDIR" in refusal(home)


def test_a_link_instead_of_a_socket_folder(home, tmp_path, monkeypatch):
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    before = (tmp_path / "target").stat()
    monkeypatch.setattr(Places, "socket_folder", tmp_path / "link")
    assert "link" in refusal(home)
    assert (tmp_path / "target").stat() == before


def test_a_temporary_folder_with_too_long_a_path(home, tmp_path, monkeypatch):
    monkeypatch.setattr(Places, "socket_folder", tmp_path / ("long" * 30))
    assert "set TMPDIR to a shorter folder" in refusal(home)


def test_a_cluster_of_another_major_version(home):
    (home.places.data / "PG_VERSION").write_text("16\n")
    assert "was written by Postgres 16, this relex contains Postgres 18" in refusal(home)


def test_a_data_folder_that_is_no_cluster(empty_home):
    empty_home.places.data.mkdir(parents=True)
    if ROOT:
        nobody = pwd.getpwnam("nobody")
        os.chown(empty_home.places.data, nobody.pw_uid, nobody.pw_gid)
    assert "is not a Postgres cluster" in refusal(empty_home)


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_another_users_cluster(home):
    os.chown(home.places.data, 12345, 12345)
    assert "belongs to user id 12345" in refusal(home)


def test_a_broken_cluster_says_the_end_of_the_log(home):
    (home.places.data / "global" / "pg_control").unlink()
    report = refusal(home)
    assert "could not find the database system" in report or "pg_control" in report
    assert str(home.places.log) in report


def test_a_home_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceUnreachable, match="set RELEX_HOME"), use(tmp_path / "file" / "home"):
        pytest.fail("a Postgres was given")
