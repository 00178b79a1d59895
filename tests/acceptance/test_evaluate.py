"""A labeled file and two models: how good each is, and whether one is better."""

import csv
import json

import numpy as np

from relex.evaluation.metrics import auprc, micro_f1


def test_models_are_evaluated_and_compared_by_their_predictions(trained):
    on = ("--on", "data/valid_data.csv")
    text = trained.run("evaluate", "tiny", *on, "--like", "data/test_data.csv", "--out", "evaluated")
    found = json.loads((trained.folder / "evaluated" / "evaluation.json").read_text("utf-8"))
    assert (found["model"], found["rows"], found["file"]) == ("tiny@1", 75, "valid_data.csv")
    for figure in (found["headline"]["micro_f1"]["value"], found["reweighted"]["micro_f1"]):
        assert f"{figure:.2f}" in text
    gold = [row["gold"] for row in rows_of(trained.folder / "evaluated" / "predictions.csv")]
    assert_scores_are_those_of_the_export(trained, found, gold)
    again = trained.run_json("evaluate", "tiny@1", *on)
    assert again == found | {"reweighted": None}
    assert "(submitted before)" in trained.said
    text = trained.run("compare", "tiny", "other", *on, "--out", "both")
    comparison = json.loads((trained.folder / "both" / "comparison.json").read_text("utf-8"))
    assert comparison["a"] == found["headline"]
    assert {change["key"]: (change["a"], change["b"]) for change in comparison["settings"]} == {
        "name": ("tiny", "other"),
        "train.epochs": (2, 3),
    }
    assert "train.epochs" in text
    assert f"McNemar p {comparison['mcnemar_p']:.2g}" in text
    flips = rows_of(trained.folder / "both" / "flips.csv")
    assert len(flips) == sum(comparison["flips"].values())


def test_models_that_vote_are_a_model_like_any_other(trained):
    on = ("--on", "data/valid_data.csv")
    text = trained.run("ensemble", "tiny", "other", *on)
    assert "weighted vote" in text
    assert not any("both" in model for model in registered(trained))
    options = ("--vote", "logits", "--name", "both", "--out", "votes")
    found = trained.run_json("ensemble", "tiny@1", "other@1", *on, *options)
    assert trained.said.count("(submitted before)") == 2
    assert json.loads((trained.folder / "votes" / "votes.json").read_text("utf-8")) == found
    assert (found["model"], found["members"]) == ("both@1", ["tiny@1", "other@1"])
    evaluation = trained.run_json("evaluate", "both", *on)
    expected = next(each["headline"] for each in found["votes"] if each["vote"] == "logits")
    for figure in ("micro_f1", "auprc"):
        assert abs(evaluation["headline"][figure]["value"] - expected[figure]["value"]) < 1e-6
    assert trained.run("ensemble", "tiny", "tiny@1", *on, expected=3) == ""
    assert "tiny@1 is named twice" in trained.said


def test_what_cannot_be_evaluated_is_refused_before_anything_is_queued(team):
    assert team.run("evaluate", "nobody", "--on", "data/test_data.csv", expected=3) == ""
    assert "no gold label in column label" in team.said
    assert team.run("evaluate", "nobody", "--on", "data/valid_data.csv", expected=5) == ""
    assert team.run("compare", "nobody", "nobody", "--on", "data/valid_data.csv", expected=5) == ""
    assert team.run("jobs", "--json") == "[]"


def registered(place):
    return {each["model"] for each in place.run_json("models")}


def assert_scores_are_those_of_the_export(place, found, gold):
    place.run("export", found["job"], "--out", "out")
    rows = rows_of(place.folder / "out" / f"{found['job']}.csv")
    labels = json.loads((place.folder / "out" / f"{found['job']}.labels.json").read_text("utf-8"))
    probabilities = np.array([json.loads(row["probs"]) for row in rows])
    headline = found["headline"]
    assert abs(micro_f1(gold, [row["pred_label"] for row in rows]) - headline["micro_f1"]["value"]) < 1e-9
    assert abs(auprc(gold, probabilities, labels) - headline["auprc"]["value"]) < 1e-9
    version = next(each for each in place.run_json("models") if each["model"] == found["model"])
    assert version["scores"][0]["auprc"] == headline["auprc"]["value"]


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
