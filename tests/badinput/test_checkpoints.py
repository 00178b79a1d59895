"""The corpus of checkpoints through `relex models import`: refused in words, nothing registered, nothing run."""

import shutil

import pytest

from relex.lazy import load_smoke_test
from relex.registry.model_versions import SHIPPED
from tests.corpus import checkpoints
from tests.processes import environment, relex

REPORT = {bad.name: (bad.make, f": {bad.says}") for bad in checkpoints.MISSING} | checkpoints.TABLE


@pytest.fixture
def bent(command):
    """bent(name, bend): a copy of the shipped checkpoint with one thing bent."""

    def make(name, bend):
        shutil.copytree(SHIPPED / "starter", command.folder / name)
        bend(command.folder / name)
        return name

    return make


@pytest.mark.parametrize(("name", "report"), REPORT.items(), ids=list(REPORT))
def test_a_bad_checkpoint_is_refused_and_no_copy_is_left(command, bent, name, report):
    bend, says = report
    said = command.refuses("models", "import", bent(name, bend))
    start = "" if says.startswith("config.json") else name
    assert said.lines == [f"error: {start}{says}"]
    assert not list(command.home.glob("models/.unfinished/*"))


@pytest.mark.parametrize(("name", "report"), checkpoints.LOADED.items(), ids=list(checkpoints.LOADED))
def test_what_shows_only_when_it_is_loaded_shows_before_it_is_registered(command, bent, name, report):
    bend, says = report
    said = command.refuses("models", "import", bent(name, bend))
    line = said.lines[-1]
    assert line.startswith(f"error: {name}: ")
    assert says in line
    assert line.endswith("; restore the folder")
    assert len(line) < 700
    assert not list(command.home.glob("models/.unfinished/*"))


@pytest.mark.parametrize("name", ["", "../mine", "a/b", "x" * 65, "한국어", "\udcff", "mine@2"], ids=ascii)
def test_a_name_that_no_model_may_have(command, bent, name):
    (line,) = command.refuses("models", "import", bent("mine", lambda _: None), "--name", name).lines
    assert line.endswith("': a model's name has 1 to 64 letters, digits, _ and -; `--name my_model` gives it one")


def test_what_is_no_folder_of_a_checkpoint(command):
    (command.folder / "empty").mkdir()
    files = "config.json, model.safetensors, tokenizer.json, tokenizer_config.json"
    assert command.refuses("models", "import", "empty").lines == [
        f"error: empty: missing {files}; copy the whole folder of the training run"
    ]
    assert command.refuses("models", "import", "nowhere").lines == [
        "error: nowhere: no such folder; give the folder that holds model.safetensors"
    ]


def test_a_good_one_passes_its_smoke_test(command, bent):
    said = command.run("models", "import", bent("mine", lambda _: None))
    assert (said.code, said.out) == (0, "mine@1\n")


def test_a_file_that_was_altered_after_it_was_registered(command, bent):
    assert command.run("models", "import", bent("yours", lambda _: None)).out == "yours@1\n"
    [place] = (command.home / "models" / "yours").iterdir()
    checkpoints.config(lambda content: content["relation"].update(max_length=64))(place)
    (line,) = command.refuses("bench", "--model", "yours@1").lines
    assert line == (
        f"error: {place}: config.json altered since the model was registered; "
        "restore the folder or register it as a new version"
    )


def test_the_smoke_test_runs_no_pickle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(SHIPPED / "starter", tmp_path / "mine")
    checkpoints.written("labels.pkl", checkpoints.PICKLE)(folder)
    with pytest.raises(Exception, match="can run code"):
        load_smoke_test()(folder)
    assert not (tmp_path / "pwned").exists()


def test_a_real_process_says_the_same(tmp_path, command):
    folder = shutil.copytree(SHIPPED / "starter", tmp_path / "cut")
    bend, says = checkpoints.LOADED["weights_empty"]
    bend(folder)
    env = environment(database_url=command.database_url, home=command.home)
    done = relex("models", "import", "cut", env=env, cwd=tmp_path)
    assert done.returncode == 3
    assert says in done.stderr
    assert "Traceback" not in done.stderr
