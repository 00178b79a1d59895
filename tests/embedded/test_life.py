"""Who starts the embedded Postgres, who stops it, and what kill -9 leaves behind."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine

from relex.embedded import locks, server
from relex.embedded.creation import STAGING_PREFIX
from relex.embedded.description import describe
from relex.embedded.users import use
from relex.errors import ServiceUnreachable

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_the_first_use_makes_it_and_the_last_leaves_nothing(empty_home, capfd):
    with use(empty_home.path) as url:
        engine = create_engine(url)
        with engine.connect() as connection:
            database, locale, listening, folder = connection.exec_driver_sql(
                "SELECT datname, datlocale, current_setting('listen_addresses'), "
                "current_setting('unix_socket_directories') FROM pg_database WHERE datname = current_database()"
            ).one()
        engine.dispose()
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
        assert empty_home.processes()
    assert (database, locale, listening) == ("relex", "C.UTF-8", "")
    assert empty_home.processes() == []
    assert not Path(folder).exists()
    assert capfd.readouterr() == ("", "")
    assert "ready to accept connections" in empty_home.places.log.read_text()


def test_a_later_use_finds_the_rows(home, value):
    with use(home.path) as url:
        assert value(url, "SELECT number FROM kept") == 7


def test_a_running_server_is_shared_and_ends_with_its_last_user(home, user, value):
    first, second = user(home), user(home)
    assert first.url() == second.url()
    postmaster = home.postmaster
    assert first.leave() == (0, "")
    with use(home.path) as url:
        assert value(url, "SELECT number FROM kept") == 7
    assert home.postmaster == postmaster
    assert not home.ended()
    assert second.leave() == (0, "")
    assert home.ended()


def test_two_first_uses_at_once(empty_home, user, value):
    both = [user(empty_home), user(empty_home)]
    urls = [one.url() for one in both]
    assert urls[0] == urls[1]
    assert value(urls[0], "SELECT 1") == 1
    assert [one.leave() for one in both] == [(0, ""), (0, "")]
    assert home_is_tidy(empty_home)


def test_a_killed_user_counts_no_longer(home, user, value):
    killed = user(home)
    url = killed.url()
    killed.kill()
    assert value(url, "SELECT 1") == 1
    with use(home.path) as same:
        assert same == url
    assert home.ended()


def test_kill_9_of_the_whole_server_loses_no_committed_row(home, user, connect, value):
    with connect(user(home).url()) as connection:
        connection.execute("INSERT INTO kept VALUES (8)")
    home.kill()
    assert (home.places.data / "postmaster.pid").exists()
    with use(home.path) as url:
        assert value(url, "SELECT sum(number) FROM kept") == 15


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

WRITER = """
import sys
from pathlib import Path
import psycopg
from relex.embedded.users import use
with use(Path(sys.argv[1])) as url, psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
    print(url, flush=True)
    for number in range(100, 1_000_000):
        connection.execute("INSERT INTO kept VALUES (%s)", [number])
        print(number, flush=True)
"""


@pytest.mark.parametrize("heard", [1, 50, 200])
def test_kill_9_of_everything_while_rows_are_written(home, value, heard):
    """The writer and all processes of the server; what it reported as committed is there, in two later starts."""
    command = [sys.executable, "-c", WRITER, str(home.path)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as writer:
        writer.stdout.readline()
        committed = [int(writer.stdout.readline()) for _ in range(heard)]
        writer.kill()
        home.kill()
        committed += [int(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    for _ in range(2):
        with use(home.path) as url:
            assert value(url, f"SELECT count(*) FROM kept WHERE number BETWEEN 100 AND {committed[-1]}") == len(
                committed
            )
            assert value(url, "SELECT count(*) - count(DISTINCT number) FROM kept") == 0


@pytest.mark.parametrize("doing", ["starting", "stopping"])
def test_a_server_that_hangs_is_ended_and_started_again(home, user, value, monkeypatch, doing):
    """As Postgres 18 does where it is asked to stop while it recovers on a full disk: it says `doing` forever."""
    monkeypatch.setattr(server, "HANG_TIMEOUT", 1.0)
    hanging = user(home)
    hanging.url()
    before = home.postmaster
    pid_file = home.places.data / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace("ready", doing))
    with use(home.path) as url:
        assert value(url, "SELECT number FROM kept") == 7
        assert home.postmaster != before
    hanging.kill()


def test_a_process_that_only_bears_the_servers_id_is_not_ended(home, monkeypatch):
    monkeypatch.setattr(server, "HANG_TIMEOUT", 0.5)
    monkeypatch.setattr(server, "QUIT_TIMEOUT", 0.5)
    with subprocess.Popen(["sleep", "60"]) as stranger, locks.shared(home.places.server_lock):
        (home.places.data / "postmaster.pid").write_text(f"{stranger.pid}\n")
        with pytest.raises(ServiceUnreachable, match="is alive but does not accept connections"), use(home.path):
            pytest.fail("a Postgres was given")
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_that_somebody_else_started_and_that_does_not_answer_yet_keeps_its_files(home, monkeypatch):
    monkeypatch.setattr(server, "HANG_TIMEOUT", 0.5)
    pid_file = home.places.data / "postmaster.pid"
    with subprocess.Popen(["sleep", "60"], cwd=home.places.data) as other:
        pid_file.write_text(f"{other.pid}\n")
        with pytest.raises(ServiceUnreachable, match="a server that relex did not start runs on"), use(home.path):
            pytest.fail("a Postgres was given")
        assert pid_file.read_text() == f"{other.pid}\n"
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("state", ["stranger", "zombie"])
def test_a_stale_process_id_does_not_block_the_start(home, value, state):
    """Postgres alone would refuse: a process with that id exists, and belongs to the server's user."""
    owner = home.places.data.stat()
    child = subprocess.Popen(["sleep", "60"], user=owner.st_uid if os.geteuid() == 0 else None)
    try:
        if state == "zombie":
            child.kill()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        leave_remains(home, child.pid, owner)
        with use(home.path) as url:
            assert value(url, "SELECT number FROM kept") == 7
    finally:
        child.kill()
        child.wait()


def leave_remains(home, pid, owner):
    """What a killed server leaves: its lock files in the data folder and beside the socket."""
    folder = home.places.socket_folder
    folder.mkdir(mode=0o700)
    lines = f"{pid}\n{home.places.data}\n1700000000\n5432\n{folder}\n\n  1 1\nready   \n"
    for path in (home.places.data / "postmaster.pid", folder / ".s.PGSQL.5432.lock"):
        path.write_text(lines)
        os.chown(path, owner.st_uid, owner.st_gid)


def test_kill_9_in_the_middle_of_initdb(empty_home, user, value, eventually):
    killed = user(empty_home)
    assert eventually(lambda: any(empty_home.path.glob(f"{STAGING_PREFIX}*/base/1")))
    killed.kill()
    assert not empty_home.places.data.exists()
    with use(empty_home.path) as url:
        assert value(url, "SELECT 1") == 1
    assert home_is_tidy(empty_home)


def home_is_tidy(home):
    return home.ended() and not list(home.path.glob(f"{STAGING_PREFIX}*"))


@pytest.fixture
def generalization():
    """Another folder for temporary files; one of pytest's may be too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="t m'p") as folder:
        yield Path(folder)


def test_a_long_home_another_tmpdir_and_odd_characters(copy, tmp_path, generalization, user, value):
    """The socket does not depend on the length of home; who comes later reads where it is."""
    (tmp_path / ("long" * 40)).mkdir()
    home = copy(tmp_path / ("long" * 40) / 'it\'s $HOME `x` "한국어"')
    url = user(home, TMPDIR=str(generalization), PGPORT="1", PGDATA="/nowhere").url()
    assert len(list(generalization.iterdir())) == 1
    with use(home.path) as same:
        assert same == url
        assert value(same, "SELECT number FROM kept") == 7


def test_the_environment_does_not_reach_the_server(home, tmp_path, monkeypatch, value):
    """As on a machine where another package's libraries come first; an empty libc stops any program."""
    (tmp_path / "libc.so.6").write_text("")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    with use(home.path) as url:
        assert value(url, "SELECT number FROM kept") == 7


def test_a_large_log_is_started_again(home):
    with home.places.log.open("ab") as log:
        log.truncate(10_000_001)
    with use(home.path):
        assert 0 < home.places.log.stat().st_size < 10_000


def test_describe_starts_and_makes_nothing(empty_home, home):
    report = describe(empty_home.path)
    assert (report.running, report.created) == (False, False)
    assert "PostgreSQL) 18" in report.version
    assert not empty_home.path.exists()
    with use(home.path) as url:
        report = describe(home.path)
        assert (report.running, report.created) == (True, True)
        assert f"host={quote(str(report.socket_folder))}&" in url
    assert not describe(home.path).running
