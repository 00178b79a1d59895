"""The other half: a recipe goes in, and a model version that scores comes out."""

import json

from tests.processes import started

RECIPE = """
name: tiny
backbone:
  scratch: {vocabulary: 1000, hidden_size: 32, layers: 1, heads: 2, intermediate_size: 64}
input: {max_length: 64}
loss: {name: focal, gamma: 1.0, label_smoothing: 0.05}
train: {epochs: 2, batch_size: 32, learning_rate: 1.0e-3, scheduler: cosine}
data: {train: data/train_data.csv, valid: data/valid_data.csv}
"""


def test_a_recipe_becomes_a_model_version_that_scores(laptop):
    (laptop.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    run = laptop.run("train", "--config", "tiny.yaml", "--watch")
    told = json.loads(laptop.run("status", run, "--json"))
    assert (told["state"], told["model"]) == ("done", "tiny@1")
    assert [each["epoch"] for each in told["progress"]["history"]] == [1, 2]
    version = next(each for each in json.loads(laptop.run("models", "--json")) if each["model"] == "tiny@1")
    best = max(each["micro_f1"] for each in told["progress"]["history"])
    assert abs(version["scores"][0]["micro_f1"] - best) < 1e-9
    job = json.loads(laptop.run("submit", "data/test_data.csv", "--model", "tiny", "--wait", "--json"))
    assert job["model"] == "tiny@1"
    laptop.run("models", "promote", "tiny@1")
    assert "tiny@1" in laptop.run("submit", "data/test_data.csv", "--json")


def test_folds_become_one_model_version_that_scores(laptop):
    (laptop.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    run = laptop.run("train", "--config", "tiny.yaml", "--set", "train.folds=2", "--watch")
    told = json.loads(laptop.run("status", run, "--json"))
    assert (told["state"], told["model"]) == ("done", "tiny@1")
    assert [each["epoch"] for each in told["progress"]["history"]] == [1, 2, 3, 4]
    version = next(each for each in json.loads(laptop.run("models", "--json")) if each["model"] == "tiny@1")
    judged = json.loads(laptop.run("evaluate", "tiny", "--on", "data/valid_data.csv", "--json"))
    assert abs(version["scores"][0]["micro_f1"] - judged["headline"]["micro_f1"]["value"]) < 1e-6


def test_a_team_trains_on_its_own_queue(team, tmp_path):
    (team.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    with started("worker", "--queues", "train", "--concurrency", "1", env=team.env, log=tmp_path / "worker.log"):
        run = team.run("train", "--config", "tiny.yaml", "--watch")
    assert json.loads(team.run("status", run, "--json"))["model"] == "tiny@1"


def test_a_bad_recipe_is_refused_before_anything_is_queued(laptop):
    wrong = RECIPE.replace("scheduler", "shceduler").replace("gamma: 1.0", "gamma: -1")
    (laptop.folder / "wrong.yaml").write_text(wrong, "utf-8")
    assert laptop.run("train", "--config", "wrong.yaml", expected=3) == ""
    assert "unknown key train.shceduler (did you mean train.scheduler?)" in laptop.said
    assert "loss.gamma" in laptop.said


def test_bad_training_data_is_refused_before_anything_is_queued(laptop):
    (laptop.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    assert laptop.run("train", "--config", "tiny.yaml", "--set", "data.train=data/test_data.csv", expected=3) == ""
    assert "60 of 60 rows have no gold label" in laptop.said


def test_a_hub_that_cannot_be_reached_fails_the_run_with_one_line(laptop):
    laptop.env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(laptop.folder / "hub")}
    run = laptop.run("train", "--config", "large_focal.yaml", "--watch", expected=1).splitlines()[0]
    told = json.loads(laptop.run("status", run, "--json"))
    assert told["state"] == "failed"
    assert "klue/roberta-large" in told["error"]
    assert "\n" not in told["error"]
