"""k-fold training: every example is held out once, the folds vote, and a killed run resumes in its fold."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from relex.errors import InvalidConfig, InvalidCsv
from relex.inference.ensemble import open_scorer
from relex.labels import NO_RELATION
from relex.model.ensemble import Vote, read_ensemble
from relex.model.folder import FOR_PEOPLE, members
from relex.training import folds, history
from relex.training.folds import parts
from relex.training.trainer import evaluate, train
from tests.factories import example
from tests.tiny_training import config, tiny_data

FOLDS = 3


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory):
    """One thread, the recipe's files in the current folder, a report at every step."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("current"))
        for name in ("train.csv", "valid.csv"):
            Path(name).write_text("whatever", "utf-8")
        patch.setattr(history, "REPORT_SECONDS", 0)
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data():
    return tiny_data()


def recipe(**changes):
    return config(train={"folds": FOLDS, "epochs": 2, "save_minutes": 0, **changes})


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "deep" / "tiny"
    report = []
    outcome = train(recipe(), *data, folder, report.append)
    return outcome, folder, report


def test_each_example_is_held_out_once_and_labels_keep_their_shares(data):
    examples = data[0]
    cut = parts(examples, 5, 1, "train.csv")
    held = [each.row_no for _, held_out in cut for each in held_out]
    assert sorted(held) == [each.row_no for each in examples]
    labels = Counter(each.label for each in examples)
    for training, held_out in cut:
        assert {each.row_no for each in training}.isdisjoint(each.row_no for each in held_out)
        assert len(training) + len(held_out) == len(examples)
        for label, count in Counter(each.label for each in held_out).items():
            assert abs(count - labels[label] / 5) <= 1
    assert parts(examples, 5, 1, "train.csv") == cut
    assert parts(examples, 5, 2, "train.csv") != cut


def test_labels_rarer_than_folds_are_no_error():
    cut = parts([example(row, NO_RELATION if row else "per:title") for row in range(6)], 3, 1, "train.csv")
    assert [len(held) for _, held in cut] == [2, 2, 2]
    with pytest.raises(InvalidCsv, match="no label has 7 examples"):
        parts([example(row, NO_RELATION) for row in range(6)], 7, 1, "train.csv")


def test_the_folds_vote_and_are_evaluated_on_the_validation_file(trained, data):
    outcome, folder, _ = trained
    assert {path.name for path in folder.iterdir()} == {
        "ensemble.json",
        "member-1",
        "member-2",
        "member-3",
        *FOR_PEOPLE,
    }
    assert read_ensemble(folder).vote is Vote.SOFT
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]
    scorer = open_scorer(folder, "cpu")
    labels = {prediction.row_no: prediction.label for batch in scorer.score(data[1]) for prediction in batch}
    hits = sum(labels[each.row_no] == each.label != NO_RELATION for each in data[1])
    sides = sum((labels[each.row_no] != NO_RELATION) + (each.label != NO_RELATION) for each in data[1])
    assert outcome.micro_f1 == pytest.approx(200 * hits / sides)
    assert outcome.epochs == 2 * FOLDS
    again = evaluate(folder, data[1], "cpu")
    assert (again.micro_f1, again.auprc) == pytest.approx((outcome.micro_f1, outcome.auprc))
    report = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert (report["validation"]["micro_f1"], report["validation"]["auprc"]) == (outcome.micro_f1, outcome.auprc)
    assert [len(each["history"]) for each in report["training"]["folds"]] == [2] * FOLDS
    assert f"{outcome.micro_f1:.2f}" in (folder / "README.md").read_text("utf-8")


def test_the_folds_differ(trained):
    weights = {(member / "model.safetensors").read_bytes() for member in members(trained[1])}
    assert len(weights) == FOLDS


def test_progress_counts_through_all_folds(trained):
    _, _, report = trained
    steps = [each["step"] for each in report]
    assert steps == sorted(steps)
    assert steps[-1] == report[-1]["steps"]
    assert [each["epoch"] for each in report[-1]["history"]] == list(range(1, 2 * FOLDS + 1))
    assert {each["epochs"] for each in report} == {2 * FOLDS}
    assert {(each["fold"], each["folds"]) for each in report} == {(number, FOLDS) for number in (1, 2, 3)}


class Died(Exception):
    pass


def test_a_killed_run_continues_with_the_fold_it_was_in(trained, data, tmp_path, monkeypatch):
    _, folder, report = trained
    killed_at = report[len(report) // 2]

    def dies(progress):
        if progress["step"] == killed_at["step"]:
            raise Died

    with pytest.raises(Died):
        train(recipe(), *data, tmp_path / "tiny", dies, tmp_path / "scratch")
    assert not (tmp_path / "tiny").exists()
    begun = []
    original = folds.train_classifier
    monkeypatch.setattr(folds, "train_classifier", lambda *parts: (begun.append(parts), original(*parts))[1])
    heard = []
    train(recipe(), *data, tmp_path / "tiny", heard.append, tmp_path / "scratch")
    assert len(begun) == FOLDS - 1
    left = {path.name for path in (tmp_path / "scratch").glob("*/fold-*.scratch/*")}
    assert left == {"tensorboard"}
    assert heard[0]["step"] >= killed_at["step"]
    assert heard[-1]["history"] == report[-1]["history"]
    # It was killed again, after its checkpoint was written and before it was registered.
    train(recipe(), *data, tmp_path / "tiny", heard.append, tmp_path / "scratch")
    assert len(begun) == FOLDS - 1
    for one, other in zip(members(folder), members(tmp_path / "tiny"), strict=True):
        assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def test_what_cannot_choose_an_epoch_is_refused_before_the_first_fold(data, tmp_path):
    """Every held-out example shares an entity word with the others: none is new."""
    report = []
    asked = config(train={"folds": FOLDS}, validation={"metric": "micro_f1_unseen"})
    with pytest.raises(InvalidConfig, match="micro_f1_unseen"):
        train(asked, *data, tmp_path / "tiny", report.append)
    assert report == []


def test_folds_of_another_recipe_are_not_taken_over(data, tmp_path):
    scratch = tmp_path / "scratch"
    train(recipe(), *data, tmp_path / "one", lambda _: None, scratch)
    train(recipe(seed=7), *data, tmp_path / "other", lambda _: None, scratch)
    one, other = (members(tmp_path / name)[0] / "model.safetensors" for name in ("one", "other"))
    assert one.read_bytes() != other.read_bytes()
