"""`relex doctor` on this machine: its home folder, its disk, its device, and the command as a whole."""

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from relex.flows.checks import machine
from relex.flows.checks.result import State
from tests.command_line import run_command
from tests.own_services import (
    PASSWORD,
    fill,
    small_disk,
    url_with,
)
from tests.pasting import PRELUDE, pasted
from tests.processes import environment


@pytest.fixture
def ordinary(monkeypatch):
    """A folder that everybody may enter, and this process as a user without any right in it."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        monkeypatch.setenv("HOME", place)

        @contextmanager
        def as_nobody():
            os.seteuid(65534)
            try:
                yield
            finally:
                os.seteuid(0)

        yield Path(place), as_nobody


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param("missing", marks=pytest.mark.hint("doctor.create_folder")),
        pytest.param("closed", marks=pytest.mark.hint("doctor.open_folder")),
        pytest.param("another's", marks=pytest.mark.hint("doctor.other_home")),
        "a file",
    ],
)
def test_a_home_that_cannot_be_written_to(ordinary, case):
    place, as_nobody = ordinary
    home = place / "a home"
    if case == "a file":
        home.write_text("")
        os.chown(place, 65534, 65534)
    elif case != "missing":
        home.mkdir(mode=0o500)
        os.chown(home, 65534 if case == "closed" else 12345, 0)
    before = place.stat().st_mode
    with as_nobody():
        found = machine.home(home)
    assert (found.state, str(home) in found.text) == (State.ERROR, True)
    if "export" in found.suggestion.partition("#")[0]:
        os.chown(place, 65534, 65534)  # a person's own folder
    prelude = PRELUDE + "id() { echo 65534; }\n"
    after = pasted(found.suggestion, environment(home=home), prelude=prelude, user=65534 if case == "closed" else None)
    with as_nobody():
        assert machine.home(Path(after["RELEX_HOME"])).state is State.OK
    assert place.stat().st_mode == before, "nobody changes a folder above it"


def test_a_home_that_is_made_at_first_use(tmp_path):
    assert machine.home(tmp_path / "new" / "home").state is State.OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.hint("doctor.free_space")
def test_a_disk_that_is_nearly_full(tmp_path):
    with small_disk(tmp_path / "disk", "64m") as disk:
        assert machine.disk(disk / "home").state is State.ERROR
        assert machine.home(disk / "home").state is State.OK
        fill(disk)
        found = machine.home(disk)
        assert "No space left" in found.text
        pasted(found.suggestion, environment())


@pytest.mark.hint("doctor.default_device")
def test_a_device_that_is_not_there(tmp_path):
    found = machine.device("cuda:99")
    assert (found.state, "cuda:99" in found.text) == (State.ERROR, True)
    after = pasted(found.suggestion, environment(device="cuda:99"))
    assert machine.device(after["RELEX_DEVICE"], tmp_path / "none").state is State.OK
    assert machine.device("auto", tmp_path / "none").state is State.OK


@pytest.mark.hint("doctor.repair_gpu")
def test_a_gpu_that_torch_cannot_use(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "nvidiactl").write_text("")
    found = machine.device("auto", tmp_path / "nvidiactl")
    assert (found.state, "torch cannot use it" in found.text) == (State.WARNING, True)
    assert found.suggestion.startswith("nvidia-smi")


@pytest.mark.hint("doctor.start_postgres")
def test_the_command_prints_for_programs_and_people_and_fails_where_something_is_broken(tmp_path, database_url):
    others = {"PGHOSTADDR": "127.0.0.9", "CELERY_BROKER_URL": "redis://127.0.0.9"}
    env = environment(home=tmp_path / "home", device="cpu") | others
    assert run_command("jobs", env=env, cwd=tmp_path).returncode == 0  # it makes the embedded database
    done = run_command("doctor", "--json", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (found,) = (each["text"] for each in json.loads(done.stdout) if each["name"] == "environment")
    assert found == "CELERY_BROKER_URL, PGHOSTADDR: set for other programs, ignored by relex"
    assert {check["state"] for check in json.loads(done.stdout)} == {"ok"}
    env |= {"RELEX_DATABASE_URL": url_with(database_url, port=1, password=PASSWORD)}
    done = run_command("doctor", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "\nerror    database" in done.stdout
    assert "-> sudo systemctl start postgresql" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
