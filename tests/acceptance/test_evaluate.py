"""A labelled file and two models: how good each is, and whether one is better."""

import csv
import json

import numpy as np

from relex.evaluation.metrics import auprc, micro_f1
from tests.acceptance.test_train import RECIPE
from tests.processes import wait_until


def test_models_are_evaluated_compared_and_combined(laptop):
    """In one test, because the training of its two models takes the most time."""
    laptop.env["RELEX_IDLE_SECONDS"] = "6"  # one process scores for several commands
    train(laptop, "tiny", "other")
    models_are_evaluated_and_compared_by_their_predictions(laptop)
    models_that_vote_are_a_model_like_any_other(laptop)


def models_are_evaluated_and_compared_by_their_predictions(laptop):
    text = laptop.run(
        "evaluate", "tiny", "--on", "data/valid_data.csv", "--like", "data/test_data.csv", "--out", "judged"
    )
    found = json.loads((laptop.folder / "judged" / "evaluation.json").read_text("utf-8"))
    assert (found["model"], found["rows"], found["file"]) == ("tiny@1", 75, "valid_data.csv")
    for figure in (found["headline"]["micro_f1"]["value"], found["reweighted"]["micro_f1"]):
        assert f"{figure:.2f}" in text
    gold = [row["gold"] for row in rows_of(laptop.folder / "judged" / "predictions.csv")]
    assert_scores_are_those_of_the_export(laptop, found, gold)
    again = json.loads(laptop.run("evaluate", "tiny@1", "--on", "data/valid_data.csv", "--json"))
    assert again == found | {"reweighted": None}
    assert "(submitted before)" in laptop.said
    text = laptop.run("compare", "tiny", "other", "--on", "data/valid_data.csv", "--out", "both")
    told = json.loads((laptop.folder / "both" / "comparison.json").read_text("utf-8"))
    assert told["a"] == found["headline"]
    assert {change["key"]: (change["a"], change["b"]) for change in told["settings"]} == {
        "name": ("tiny", "other"),
        "train.epochs": (1, 3),
    }
    assert "train.epochs" in text
    assert f"McNemar p {told['mcnemar_p']:.2g}" in text
    flips = rows_of(laptop.folder / "both" / "flips.csv")
    assert len(flips) == sum(told["flips"].values())


def models_that_vote_are_a_model_like_any_other(laptop):
    text = laptop.run("ensemble", "tiny", "other", "--on", "data/valid_data.csv")
    assert "weighted vote" in text
    assert not any("both" in model for model in registered(laptop))
    on = ("--on", "data/valid_data.csv", "--vote", "logits", "--name", "both", "--json", "--out", "voted")
    found = json.loads(laptop.run("ensemble", "tiny@1", "other@1", *on))
    assert laptop.said.count("(submitted before)") == 2
    assert json.loads((laptop.folder / "voted" / "votes.json").read_text("utf-8")) == found
    assert (found["model"], found["members"]) == ("both@1", ["tiny@1", "other@1"])
    told = json.loads(laptop.run("evaluate", "both", "--on", "data/valid_data.csv", "--json"))
    expected = next(each["headline"] for each in found["votes"] if each["vote"] == "logits")
    for figure in ("micro_f1", "auprc"):
        assert abs(told["headline"][figure]["value"] - expected[figure]["value"]) < 1e-6
    assert laptop.run("ensemble", "tiny", "tiny@1", "--on", "data/valid_data.csv", expected=3) == ""
    assert "tiny@1 is named twice" in laptop.said


def test_what_cannot_be_judged_is_refused_before_anything_is_queued(team):
    assert team.run("evaluate", "nobody", "--on", "data/test_data.csv", expected=3) == ""
    assert "no gold label in column label" in team.said
    assert team.run("evaluate", "nobody", "--on", "data/valid_data.csv", expected=5) == ""
    assert team.run("compare", "nobody", "nobody", "--on", "data/valid_data.csv", expected=5) == ""
    assert team.run("jobs", "--json") == "[]"


def train(place, *names):
    """Train a tiny model by each name, the later ones longer."""
    (place.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    for epochs, name in zip((1, 3), names, strict=True):
        place.run("train", "--config", "tiny.yaml", "--set", f"name={name}", "--set", f"train.epochs={epochs}")
    wait_until(lambda: registered(place) >= {f"{name}@1" for name in names}, seconds=180)


def registered(place):
    return {each["model"] for each in json.loads(place.run("models", "--json"))}


def assert_scores_are_those_of_the_export(place, found, gold):
    place.run("export", found["job"], "--out", "out")
    rows = rows_of(place.folder / "out" / f"{found['job']}.csv")
    labels = json.loads((place.folder / "out" / f"{found['job']}.labels.json").read_text("utf-8"))
    probabilities = np.array([json.loads(row["probs"]) for row in rows])
    headline = found["headline"]
    assert abs(micro_f1(gold, [row["pred_label"] for row in rows]) - headline["micro_f1"]["value"]) < 1e-9
    assert abs(auprc(gold, probabilities, labels) - headline["auprc"]["value"]) < 1e-9
    version = next(each for each in json.loads(place.run("models", "--json")) if each["model"] == found["model"])
    assert version["scores"][0]["auprc"] == headline["auprc"]["value"]


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
