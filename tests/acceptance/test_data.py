"""Work on files: no database, no model."""

import csv

import pytest

from tests.processes import ROOT, environment, relex


@pytest.fixture
def run(tmp_path):
    def run(*arguments, expected=0):
        done = relex(*arguments, env=environment(home=tmp_path / "home"), cwd=tmp_path)
        assert done.returncode == expected, done.stderr
        return done

    return run


def records(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


TRAIN = ROOT / "data" / "train_data.csv"


@pytest.mark.parametrize("flags", [[], ["--group"]])
def test_the_two_sides_of_a_split_are_the_file(run, tmp_path, flags):
    run("data", "split", TRAIN, "--out", "out", *flags)
    train, valid = records(tmp_path / "out" / "train_data.csv"), records(tmp_path / "out" / "valid_data.csv")
    assert len(valid) > 20
    whole = {row["id"]: row for row in records(TRAIN)}
    assert {row["id"]: row for row in train + valid} == whole
    assert len(train) + len(valid) == len(whole)
    order = list(whole)
    assert [row["id"] for row in valid] == sorted((row["id"] for row in valid), key=order.index)


def test_a_grouped_split_shares_no_sentence(run, tmp_path):
    run("data", "split", TRAIN, "--out", "out", "--group")
    train, valid = records(tmp_path / "out" / "train_data.csv"), records(tmp_path / "out" / "valid_data.csv")
    assert {row["sentence"] for row in train}.isdisjoint(row["sentence"] for row in valid)


def test_a_file_without_labels_cannot_be_split(run, tmp_path):
    done = run("data", "split", ROOT / "data" / "test_data.csv", "--out", "out", expected=3)
    assert "60 of 60 rows have no gold label" in done.stderr
    assert not (tmp_path / "out").exists()


def test_files_are_described_in_words_and_as_a_page(run, tmp_path):
    files = [ROOT / "data" / name for name in ("train_data.csv", "test_data.csv")]
    told = run("data", "describe", *files, "--html", "data.html").stdout
    assert "type pair" in told
    assert "ORG-PER" in told
    page = (tmp_path / "data.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "<svg" in page


def test_a_file_that_is_no_tokenizer_is_told(run):
    done = run("data", "describe", TRAIN, "--tokenizer", TRAIN, expected=3)
    assert "not a tokenizer.json" in done.stderr
