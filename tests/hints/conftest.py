"""The person whom relex gives advice to."""

import os
import shutil

import pytest

from tests.factories import register_model
from tests.hints.trying import Became, Person
from tests.processes import ROOT


@pytest.fixture
def person(tmp_path, database, broker_url, monkeypatch):
    folder, home = tmp_path / "here", tmp_path / "home"
    folder.mkdir()
    shutil.copytree(ROOT / "data", folder / "data")
    register_model(database, home)
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("RELEX_")]:
        monkeypatch.delenv(name)
    settings = {"database_url": database.url, "broker_url": broker_url, "home": home, "idle_seconds": 1}
    for name, value in (settings | {"scorer": "tests.factories:FakeScorer", "sweep_seconds": 0.5}).items():
        monkeypatch.setenv(f"RELEX_{name.upper()}", str(value))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of processes that it starts: tests.factories is there

    def become(_program, words, _environment):
        raise Became(words)

    monkeypatch.setattr("worker.dispatch.os.execve", become)
    return Person(folder, database, monkeypatch)
