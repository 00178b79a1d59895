"""Homes with an embedded Postgres, looked at through the kernel, and processes that use them.

pytest's own folders are closed to other users (0700), so as root nearly every test runs on the hard way: a
server of `nobody` below folders that nobody may enter.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from relex.embedded import locks
from relex.embedded.layout import Places
from relex.embedded.users import use

USER = """
import sys
from pathlib import Path
from relex.embedded.users import use
with use(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


class Home:
    """A folder for `use`, and what the kernel says about its server."""

    def __init__(self, path):
        self.path = path
        self.places = Places(path)

    @property
    def postmaster(self):
        return int((self.places.data / "postmaster.pid").read_text().split()[0])

    def ended(self):
        return locks.is_free(self.places.server_lock)

    def processes(self):
        """Ids of all processes of the server, by the lock file that each of them holds open."""
        lock = str(self.places.server_lock.resolve())
        ids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in ids if lock in open_files(pid)]

    def kill(self):
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert eventually(self.ended)


def open_files(pid):
    found = []
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.append(str(path.readlink()))
    return found


def eventually(true, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class User:
    """A process that uses a home until it is asked to leave."""

    def __init__(self, home, through, variables):
        self.process = subprocess.Popen(
            [*through, sys.executable, "-c", USER, str(home.path)],
            env={**ENVIRONMENT, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def url(self):
        return self.process.stdout.readline().strip()

    def leave(self):
        """Ends it; gives the exit code and what it said on stderr."""
        _, report = self.process.communicate(timeout=60)
        return self.process.returncode, report

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(name="eventually")
def eventually_():
    return eventually


@pytest.fixture
def connect():
    return lambda url: psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


@pytest.fixture
def value(connect):
    def ask(url, query):
        with connect(url) as connection:
            return connection.execute(query).fetchone()[0]

    return ask


@pytest.fixture
def open_folder():
    """A folder that everybody may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def home_at(request):
    """Homes whose server and socket folder do not outlive the test."""
    request.getfixturevalue("open_folder")  # or it would be gone before the homes in it are seen to
    homes = []

    def register(path):
        homes.append(Home(path))
        return homes[-1]

    yield register
    for home in homes:
        if home.path.is_dir():
            home.kill()
        shutil.rmtree(home.places.socket_folder, ignore_errors=True)


@pytest.fixture(scope="session")
def created(tmp_path_factory):
    """A home with a cluster and one committed row."""
    path = tmp_path_factory.mktemp("created") / "home"
    with use(path) as url, psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    return path


@pytest.fixture
def copy(created, home_at):
    """Copies the created home to a path."""

    def copied(path):
        subprocess.run(["cp", "-a", "--sparse=always", created, path], check=True)
        return home_at(path)

    return copied


@pytest.fixture
def home(copy, tmp_path):
    return copy(tmp_path / "home")


@pytest.fixture
def empty_home(home_at, tmp_path):
    return home_at(tmp_path / "empty")


@pytest.fixture
def user():
    """Starts processes that use a home."""
    started = []

    def start(home, *through, **variables):
        started.append(User(home, through, variables))
        return started[-1]

    yield start
    for one in started:
        one.kill()
