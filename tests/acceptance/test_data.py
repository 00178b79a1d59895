"""Work on files: no database, no model."""

import csv

import pytest

from tests.command_line import run_command
from tests.processes import ROOT, environment


@pytest.fixture
def run(tmp_path):
    def run(*arguments, expected=0):
        done = run_command(*arguments, env=environment(home=tmp_path / "home"), cwd=tmp_path)
        assert done.returncode == expected, done.stderr
        return done

    return run


def records(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


TRAIN = ROOT / "data" / "train_data.csv"


@pytest.mark.parametrize("flags", [[], ["--group"]])
def test_the_two_sides_of_a_split_are_the_file(run, tmp_path, flags):
    """With `--group` no sentence stands on both sides."""
    run("data", "split", TRAIN, "--out", "out", *flags)
    train, valid = records(tmp_path / "out" / "train_data.csv"), records(tmp_path / "out" / "valid_data.csv")
    assert len(valid) > 20
    whole = {row["id"]: row for row in records(TRAIN)}
    assert {row["id"]: row for row in train + valid} == whole
    assert len(train) + len(valid) == len(whole)
    order = list(whole)
    assert [row["id"] for row in valid] == sorted((row["id"] for row in valid), key=order.index)
    if flags:
        assert {row["sentence"] for row in train}.isdisjoint(row["sentence"] for row in valid)


def test_a_file_without_labels_cannot_be_split(run, tmp_path):
    done = run("data", "split", ROOT / "data" / "test_data.csv", "--out", "out", expected=3)
    assert "60 of 60 rows have no gold label" in done.stderr
    assert not (tmp_path / "out").exists()


def test_files_are_described_in_words_and_as_a_page(run, tmp_path):
    files = [ROOT / "data" / name for name in ("train_data.csv", "test_data.csv")]
    text = run("data", "describe", *files, "--html", "data.html").stdout
    assert "type pair" in text
    assert "ORG-PER" in text
    page = (tmp_path / "data.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "<svg" in page


def test_a_file_that_is_no_tokenizer_is_refused(run):
    done = run("data", "describe", TRAIN, "--tokenizer", TRAIN, expected=3)
    assert "not a tokenizer.json" in done.stderr
