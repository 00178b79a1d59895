"""What people hand in by mistake, driven through the real command line in this process, so that many cases stay fast.

`RELEX_TEST_EXAMPLES` says how many examples hypothesis makes for each property; the same number makes the same ones.
"""

import os
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings

from relex.db.connection import Database
from tests.command_line import run_command
from tests.factories import register_model

settings.register_profile(
    "relex",
    max_examples=int(os.environ.get("RELEX_TEST_EXAMPLES", "40")),
    derandomize=True,
    database=None,
    deadline=None,  # the machine has other things to do
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("relex")

TABLES = ("jobs", "examples", "shards", "predictions", "row_errors", "runs", "model_versions")


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self):
        return self.err.splitlines()


@pytest.fixture(scope="module")
def database(migrated_url):
    """One for all tests of a module: what is refused leaves nothing behind, and each test looks that it does."""
    opened = Database(migrated_url)
    with opened.transaction() as tx:
        tx.exec_driver_sql("TRUNCATE runs, model_versions, jobs RESTART IDENTITY CASCADE")
    register_model(opened)
    yield opened
    opened.close()


class CommandLine:
    """`relex` in a folder of its own, with a database that has tables and one model version."""

    def __init__(self, folder, database):
        self.folder = folder
        self.home = folder.parent / "home"
        self.database_url = database.url
        self._database = database

    def run(self, *arguments, encoding="utf-8"):
        """Run a command; whatever it raises beside its exit is a traceback that a person would see."""
        done = run_command(*arguments, encoding=encoding)
        return Said(done.returncode, done.stdout, done.stderr)

    def held(self):
        """How many rows each table has, and which files registered checkpoints have."""
        with self._database.transaction() as tx:
            rows = [tx.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() for table in TABLES]
        return rows, sorted(path for path in self.home.rglob("*") if path.is_file())

    def refuses(self, *arguments, code=3):
        """What a command says that must refuse what it was given and leave nothing behind."""
        before = self.held()
        said = self.run(*arguments)
        assert said.code == code, said
        assert self.held() == before
        assert not said.out
        return said


@pytest.fixture
def command(tmp_path, database, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("RELEX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RELEX_DATABASE_URL", database.url)
    monkeypatch.setenv("RELEX_HOME", str(tmp_path / "home"))
    return CommandLine(folder, database)
