"""The corpus of recipes through `relex train`: refused in words, each with its line, and no run is queued."""

import shutil
import time

import pytest

from tests.corpus import recipes
from tests.processes import ROOT, environment, relex


@pytest.fixture(autouse=True)
def _data(command):
    shutil.copytree(ROOT / "data", command.folder / "data")


def report(said):
    """The errors, one a line."""
    return said.err.removeprefix("error: ").splitlines()


@pytest.mark.parametrize("bad", recipes.WRITTEN, ids=str)
def test_a_bad_recipe_is_refused_with_its_line(command, bad):
    bad.put(command.folder / f"{bad.name}.yaml")
    began = time.process_time()
    said = command.refuses("train", "--config", f"{bad.name}.yaml")
    assert bad.says in report(said)
    assert all(line.isprintable() for line in said.lines)
    assert not (command.folder / "pwned").exists()
    assert time.process_time() - began < 5  # a bomb would take hours


@pytest.mark.parametrize("bad", recipes.NAMED, ids=str)
def test_what_is_no_file_is_no_recipe(command, bad):
    bad.put(command.folder / bad.name)
    assert report(command.refuses("train", "--config", bad.name)) == [bad.says]


@pytest.mark.parametrize("name", ["", "x" * 5_000, "../../../etc/passwd\u202e", "nowhere.yaml"], ids=repr)
def test_a_name_of_nothing(command, name):
    shown = f"{name[:40]}..." if len(name) > 40 else name.replace("\u202e", "·")
    assert report(command.refuses("train", "--config", name)) == [f"no recipe '{shown}': {recipes.KNOWN}"]


@pytest.mark.parametrize(("change", "says"), recipes.SET.items(), ids=lambda text: text[:30])
def test_a_bad_change(command, change, says):
    assert f"--set: {says}" in report(command.refuses("train", "--config", "scratch", "--set", change))


def test_a_circle_of_three(command):
    for name, base in ("ab", "bc", "ca"):
        (command.folder / f"{name}.yaml").write_text(f"base: {base}.yaml\n")
    assert "c.yaml:1: base a.yaml is a circular reference" in report(command.refuses("train", "--config", "a.yaml"))


def test_a_base_that_is_broken_is_named(command):
    (command.folder / "ground.yaml").write_bytes(b"\xff")
    (command.folder / "mine.yaml").write_text("base: ground.yaml\n" + recipes.GOOD)
    (line,) = report(command.refuses("train", "--config", "mine.yaml"))
    assert line.startswith("ground.yaml: cannot be read as UTF-8 text: ")


def test_a_search_is_refused_in_the_same_way(command):
    (command.folder / "mine.yaml").write_text(recipes.GOOD + "tuning: {space: {train.epochs: 3}, method: all}\n")
    said = command.refuses("tune", "--config", "mine.yaml", "--trials", "1")
    assert report(said) == [
        "mine.yaml:3: tuning.method: 'all' is none of tpe, grid",
        "mine.yaml:3: tuning.space.train.epochs should be a list of values, or low and high, not 3",
    ]


def test_bad_rows_refuse_a_run_before_it_is_queued(command):
    path = command.folder / "data" / "train_data.csv"
    path.write_text(path.read_text("utf-8").replace("per:title", "per:titel"), "utf-8")
    said = command.refuses("train", "--config", "scratch")
    assert "error: train_data.csv: 8 of 241 rows are invalid" in said.lines
    assert "unknown label 'per:titel' (did you mean per:title?)" in said.err


def test_a_real_process_says_the_same(tmp_path):
    bad = next(bad for bad in recipes.WRITTEN if bad.name == "a_call")
    bad.put(tmp_path / f"{bad.name}.yaml")
    env = environment(database_url="postgresql://nobody@127.0.0.1:1/none", home=tmp_path / "home")
    done = relex("train", "--config", f"{bad.name}.yaml", env=env, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr == f"error: {bad.says}\n"
    assert not (tmp_path / "pwned").exists()
