"""relex as a person meets it: commands in a folder of their own, with or without services."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from relex.db.connection import Database
from relex.embedded.description import describe
from relex.embedded.locks import is_free
from relex.embedded.users import use
from tests.command_line import run_command
from tests.processes import ROOT, environment, relex, wait_until

RECIPE = """
name: tiny
backbone:
  scratch: {vocabulary: 1000, hidden_size: 32, layers: 1, heads: 2, intermediate_size: 64}
input: {max_length: 64}
loss: {name: focal, gamma: 1.0, label_smoothing: 0.05}
train: {epochs: 2, batch_size: 32, learning_rate: 1.0e-3, scheduler: cosine}
data: {train: data/train_data.csv, valid: data/valid_data.csv}
"""


class Place:
    """A folder with the sample data, and settings for every command that is run in it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.env = environment(home=self.home, **{"idle_seconds": 1} | settings)
        folder.mkdir()
        shutil.copytree(ROOT / "data", folder / "data")

    def run(self, *arguments: object, expected: int = 0, command=run_command):
        """A command's stdout without its last line end; its exit code must be the expected one."""
        done = command(*arguments, env=self.env, cwd=self.folder)
        assert done.returncode == expected, done.stderr + self.logs()
        self.said = done.stderr
        return done.stdout.rstrip("\n")

    def run_process(self, *arguments: str | Path, expected: int = 0):
        """The same in a process of its own."""
        return self.run(*arguments, expected=expected, command=relex)

    def run_json(self, *arguments: object):
        """What a command prints with --json."""
        return json.loads(self.run(*arguments, "--json"))

    def follow(self, id_: str) -> None:
        """Wait until a job or a training run has finished."""
        self.run("status", id_, "--watch", "--quiet")

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The embedded database, to look into while commands work on it."""
        with use(self.home) as url:
            opened = Database(url)
            yield opened
            opened.close()

    def logs(self) -> str:
        """What background processes logged."""
        return "".join(path.read_text() for path in self.home.glob("logs/*.log"))

    def background_processes(self) -> list[int]:
        """The ids of the processes that work for this home folder, by their environment."""
        home = f"RELEX_HOME={self.home}".encode()
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                variables = (place / "environ").read_bytes().split(b"\0")
                if b"worker.local" in (place / "cmdline").read_bytes() and home in variables:
                    found.append(int(place.name))
        return found

    def is_quiet(self) -> bool:
        """Whether no background process and no embedded Postgres of this place is left."""
        return all(is_free(lock) for lock in self.home.glob("*-?.lock")) and not describe(self.home).running


@pytest.fixture
def laptop(tmp_path):
    """A machine without services: the embedded default. Everything has ended by itself when the test ends."""
    place = Place(tmp_path / "laptop")
    yield place
    wait_until(place.is_quiet)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A laptop with tiny@1, other@1 (trained longer) and folded@1 (two folds), trained once because that is slow.

    One background process scores for all tests, and is asked to end after them.
    """
    place = Place(tmp_path_factory.mktemp("trained") / "laptop", idle_seconds=120)
    (place.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    changes = {"tiny": ("train.epochs=2",), "other": ("train.epochs=3",), "folded": ("train.folds=2",)}
    options = {name: [f"--set={each}" for each in (f"name={name}", *changes[name])] for name in changes}
    place.runs = {name: place.run("train", "--config", "tiny.yaml", *options[name]) for name in changes}
    for run in place.runs.values():
        place.follow(run)
    yield place
    for process in place.background_processes():
        os.kill(process, signal.SIGTERM)
    wait_until(place.is_quiet)


@pytest.fixture
def team(tmp_path, database_url, broker_url):
    """A machine of a team: its own Postgres and Redis."""
    place = Place(
        tmp_path / "team", database_url=database_url, broker_url=broker_url, lease_seconds=3, sweep_seconds=0.5
    )
    place.run("db", "upgrade")
    return place
