"""As whom the server runs when relex is root, and when it is not."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from relex.embedded.account import Account
from relex.embedded.description import describe
from relex.embedded.layout import programs_folder
from relex.embedded.users import use

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root, and looks into /proc")

NOBODY = pwd.getpwnam("nobody")

PASSING_CLOSED_FOLDERS = 1 << 2

AS_NOBODY = [
    "setpriv",
    f"--reuid={NOBODY.pw_uid}",
    f"--regid={NOBODY.pw_gid}",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]


def identity(pid):
    """User id and effective capabilities of a process, as the kernel says them."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["Uid"].split()[1]), int(status["CapEff"], 16)


def test_below_a_closed_folder_it_is_nobody_with_one_capability(copy, tmp_path, value):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = copy(closed / "home")
    before = [folder.stat().st_mode for folder in home.path.parents]
    with use(home.path) as url:
        assert identity(home.postmaster) == (NOBODY.pw_uid, PASSING_CLOSED_FOLDERS)
        assert value(url, "SELECT number FROM kept") == 7
    assert [folder.stat().st_mode for folder in home.path.parents] == before


def test_in_the_open_it_is_nobody_with_none(copy, open_folder):
    if not Account(NOBODY.pw_uid, NOBODY.pw_gid).reaches(programs_folder(), []):
        pytest.skip("the programs lie below a closed folder")
    home = copy(open_folder / "home")
    with use(home.path):
        assert identity(home.postmaster) == (NOBODY.pw_uid, 0)


def test_the_programs_may_lie_below_a_closed_folder(home_at, open_folder, tmp_path, user, value):
    """As in root's own virtual environment."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    wheel = programs_folder().parents[1]
    for folder in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(folder, closed / folder.name, ignore=shutil.ignore_patterns("pginstall", "include"))
    home = home_at(open_folder / "home")
    one = user(home, PYTHONPATH=os.pathsep.join([str(closed), *sys.path]))
    assert value(one.url(), "SELECT 1") == 1
    assert Path(f"/proc/{home.postmaster}/exe").readlink().is_relative_to(closed)
    assert one.leave() == (0, "")


def test_another_process_of_nobody_is_not_let_in(home, value):
    """The server may enter what root may, so a private folder alone is not guard enough."""
    with use(home.path) as url:
        psql = [programs_folder() / "psql", "-h", describe(home.path).socket_folder, "-U", "root", "relex"]
        refused = subprocess.run([*AS_NOBODY, *psql], check=False, capture_output=True, text=True)
        assert value(url, "SELECT current_user") == "root"
    assert "Peer authentication failed" in refused.stderr


def test_a_root_without_the_capability_is_reported_what_to_do(empty_home, user):
    code, report = user(empty_home, "setpriv", "--bounding-set=-dac_read_search").leave()
    assert code == 1
    assert "ServiceUnreachable" in report
    assert "set RELEX_HOME to a folder that other users may enter" in report


def test_an_ordinary_user_is_the_server_too(home_at, open_folder, user):
    """It may pass closed folders only because the interpreter may lie below one."""
    os.chown(open_folder, NOBODY.pw_uid, NOBODY.pw_gid)
    home = home_at(open_folder / "home")
    ordinary = user(home, *AS_NOBODY, TMPDIR=str(open_folder))
    assert "://nobody@/relex" in ordinary.url()
    assert home.path.stat().st_uid == NOBODY.pw_uid
    assert identity(home.postmaster)[0] == NOBODY.pw_uid
    assert ordinary.leave() == (0, "")
    assert home.ended()
