"""The other half: a recipe goes in, and a model version that scores comes out."""

import pytest

from tests.acceptance.conftest import RECIPE
from tests.processes import started


def version_of(place, model):
    """What `relex models` says of a version."""
    return next(each for each in place.run_json("models") if each["model"] == model)


@pytest.mark.parametrize(("name", "epochs"), [("tiny", [1, 2]), ("folded", [1, 2, 3, 4])])
def test_a_recipe_becomes_one_model_version_with_its_scores(trained, name, epochs):
    """The scores in the list of models are those of the run's best epoch, or of its folds together."""
    state = trained.run_json("status", trained.runs[name])
    assert (state["state"], state["model"]) == ("done", f"{name}@1")
    history = state["progress"]["history"]
    assert [each["epoch"] for each in history] == epochs
    score = version_of(trained, f"{name}@1")["scores"][0]["micro_f1"]
    if name == "tiny":
        assert abs(score - max(each["micro_f1"] for each in history)) < 1e-9
    else:
        found = trained.run_json("evaluate", name, "--on", "data/valid_data.csv")
        assert abs(score - found["headline"]["micro_f1"]["value"]) < 1e-6


def test_a_trained_version_scores_and_can_be_promoted(trained):
    job = trained.run_json("submit", "data/test_data.csv", "--model", "tiny", "--wait")
    assert job["model"] == "tiny@1"
    trained.run("models", "promote", "tiny@1")
    assert trained.run_json("submit", "data/test_data.csv")["model"] == "tiny@1"


def test_a_team_trains_on_its_own_queue(team, tmp_path):
    (team.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    with started("worker", "--queues", "train", "--concurrency", "1", env=team.env, log=tmp_path / "worker.log"):
        run = team.run("train", "--config", "tiny.yaml", "--set", "train.epochs=1", "--watch")
    assert team.run_json("status", run)["model"] == "tiny@1"


def test_what_cannot_be_trained_is_refused_before_anything_is_queued(laptop):
    """A recipe with two mistakes, and training data without gold labels."""
    wrong = RECIPE.replace("scheduler", "shceduler").replace("gamma: 1.0", "gamma: -1")
    (laptop.folder / "wrong.yaml").write_text(wrong, "utf-8")
    assert laptop.run("train", "--config", "wrong.yaml", expected=3) == ""
    assert "unknown key train.shceduler (did you mean train.scheduler?)" in laptop.said
    assert "loss.gamma" in laptop.said
    (laptop.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    assert laptop.run("train", "--config", "tiny.yaml", "--set", "data.train=data/test_data.csv", expected=3) == ""
    assert "60 of 60 rows have no gold label" in laptop.said
    assert laptop.run("runs", "--json") == "[]"


def test_a_hub_that_cannot_be_reached_fails_the_run_with_one_line(laptop):
    laptop.env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(laptop.folder / "hub")}
    run = laptop.run("train", "--config", "large_focal.yaml", "--watch", expected=1).splitlines()[0]
    state = laptop.run_json("status", run)
    assert state["state"] == "failed"
    assert "klue/roberta-large" in state["error"]
    assert "\n" not in state["error"]
