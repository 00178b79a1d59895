"""docs/how-to/python.md works as written: its Python and its commands run one after the other."""

import re
import shlex
import shutil
from threading import Event, Thread

import pytest

from tests.command_line import run_command
from tests.factories import register_model
from tests.hints.trying import score_all
from tests.processes import ROOT

PAGE = (ROOT / "docs" / "how-to" / "python.md").read_text("utf-8")


@pytest.fixture
def worker(database):
    """A worker that scores whatever is submitted until the test ends."""
    ended = Event()

    def work():
        while not ended.wait(0.1):
            score_all(database.url)

    thread = Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.filterwarnings("ignore::relex.api.ReadingWarning")
@pytest.mark.usefixtures("worker")
def test_the_page_runs_as_written(database, broker_url, tmp_path, monkeypatch):
    register_model(database, tmp_path / "home")
    shutil.copy(ROOT / "data" / "test_data.csv", tmp_path / "june.csv")
    monkeypatch.chdir(tmp_path)
    settings = {"database_url": database.url, "broker_url": broker_url, "home": tmp_path / "home"}
    for name, value in (settings | {"scorer": "tests.factories:FakeScorer"}).items():
        monkeypatch.setenv(f"RELEX_{name.upper()}", str(value))
    names = {}
    for language, block in re.findall(r"```(python|console)\n(.*?)```", PAGE, re.DOTALL):
        if language == "python":
            exec(block.replace("JOB", str(names.get("job"))), names)
        else:
            done = run_command(*shlex.split(block.removeprefix("$ relex ")))
            assert done.returncode == 0, done.stderr
    assert len(names["wide"]) == len(names["probabilities"]) == len(names["checked"]) == 60
    assert list(names["closest"]["margin"]) == sorted(names["closest"]["margin"])
    assert names["origin"][b"relex.job"].decode() == names["job"]
