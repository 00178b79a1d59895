"""`relex tune` from the command line, on the embedded Postgres."""

import signal

from tests.processes import started, wait_until

RECIPE = """
backbone:
  scratch: {vocabulary: 1000, hidden_size: 16, layers: 1, heads: 2, intermediate_size: 32}
input: {max_length: 32}
loss: {name: focal}
train: {epochs: 1, batch_size: 32, learning_rate: 1.0e-2}
validation: {metric: auprc}
data: {train: data/train_data.csv, valid: data/valid_data.csv}
tuning: {method: grid, space: {loss: {gamma: [0, 2]}, dropout: [0.1]}}
"""


def test_the_best_trial_becomes_a_recipe_that_trains(laptop):
    (laptop.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    assert laptop.run("tune", "--config", "tiny.yaml", "--trials", "2") == "tiny-best.yaml"
    assert "trial 0  loss.gamma=0  dropout=0.1  auprc " in laptop.said
    study = laptop.run_json("tune", "--config", "tiny.yaml", "--trials", "2")
    assert (len(study["trials"]), study["recipe"]) == (2, "tiny-best.yaml")
    assert study["best"]["score"] == max(trial["score"] for trial in study["trials"])
    laptop.run("train", "--config", "tiny-best.yaml", "--watch")
    assert "tiny-best@1" in laptop.run("models")


def test_a_bad_search_space_is_rejected_before_anything_happens(laptop):
    (laptop.folder / "wrong.yaml").write_text(RECIPE.replace("gamma: [0, 2]", "gama: [-1]"), "utf-8")
    assert laptop.run("tune", "--config", "wrong.yaml", "--trials", "2", expected=3) == ""
    assert "wrong.yaml:9: tuning.space: unknown key loss.gama (did you mean loss.gamma?)" in laptop.said
    assert not laptop.home.exists()
    laptop.run("tune", "--config", "wrong.yaml", "--trials", "0", expected=2)


def test_ctrl_c_ends_a_study_with_a_message(laptop, tmp_path):
    (laptop.folder / "tiny.yaml").write_text(RECIPE.replace("data/", f"{laptop.folder}/data/"), "utf-8")
    arguments = ["--config", str(laptop.folder / "tiny.yaml"), "--trials", "2", "--out", str(tmp_path / "best.yaml")]
    arguments += ["--set", "train.epochs=1000"]
    log = tmp_path / "tune.log"
    with started("tune", *arguments, env=laptop.env, log=log) as process:
        wait_until(lambda: "  started\n" in log.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert log.read_text().endswith("interrupted\n")
    assert not (tmp_path / "best.yaml").exists()
