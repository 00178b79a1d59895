"""relex as a person meets it: commands in a folder of their own, with or without services."""

import shutil
from pathlib import Path

import pytest

from relex.embedded.description import describe
from relex.embedded.locks import is_free
from tests.processes import ROOT, environment, relex, wait_until


class Place:
    """A folder with the sample data, and settings for every command that is run in it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.env = environment(home=self.home, idle_seconds=1, **settings)
        folder.mkdir()
        shutil.copytree(ROOT / "data", folder / "data")

    def run(self, *arguments: str | Path, expected: int = 0):
        """A command's stdout without its last line end; its exit code must be the expected one."""
        done = relex(*arguments, env=self.env, cwd=self.folder)
        assert done.returncode == expected, done.stderr + self.logs()
        self.said = done.stderr
        return done.stdout.rstrip("\n")

    def logs(self) -> str:
        """What background processes said."""
        return "".join(path.read_text() for path in self.home.glob("logs/*.log"))

    def is_quiet(self) -> bool:
        """Whether no background process and no embedded Postgres of this place is left."""
        return all(is_free(lock) for lock in self.home.glob("*-?.lock")) and not describe(self.home).running


@pytest.fixture
def laptop(tmp_path):
    """A machine without services: the embedded default. Everything has ended by itself when the test ends."""
    place = Place(tmp_path / "laptop")
    yield place
    wait_until(place.is_quiet)


@pytest.fixture
def team(tmp_path, database_url, broker_url):
    """A machine of a team: its own Postgres and Redis."""
    place = Place(
        tmp_path / "team", database_url=database_url, broker_url=broker_url, lease_seconds=3, sweep_seconds=0.5
    )
    place.run("db", "upgrade")
    return place
