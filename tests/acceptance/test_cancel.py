"""A training run ended before its time: it leaves nothing, and its process goes on with the next one."""

import json

from tests.acceptance.test_train import RECIPE
from tests.processes import wait_until


def test_a_cancelled_run_leaves_nothing_and_the_next_one_is_trained(laptop):
    def told(run):
        return json.loads(laptop.run("status", run, "--json"))

    (laptop.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    # A state is saved at every step.
    many = ("--set", "train.epochs=1000", "--set", "train.save_minutes=0")
    doomed = laptop.run("train", "--config", "tiny.yaml", *many)
    unfinished = laptop.home / "models" / ".unfinished"
    wait_until(lambda: told(doomed)["progress"].get("step", 0) > 0)
    assert list((unfinished / f"{doomed}.scratch").glob("checkpoint-*"))
    following = laptop.run("train", "--config", "tiny.yaml", "--set", "train.epochs=1")
    assert told("@last")["run"] == following
    assert laptop.run("cancel", doomed) == ""
    assert f"{doomed} is cancelled" in laptop.said
    laptop.run("status", following, "--watch")
    listed = json.loads(laptop.run("runs", "--json"))
    assert [(run["run"], run["state"], run["model"]) for run in listed] == [
        (following, "done", "tiny@1"),
        (doomed, "cancelled", None),
    ]
    assert told(doomed)["progress"]["step"] < told(doomed)["progress"]["steps"]
    assert doomed not in [version["run"] for version in json.loads(laptop.run("models", "--json"))]
    wait_until(lambda: list(unfinished.iterdir()) == [])  # removed after the run has ended
    assert f"{doomed}: cancelled" in laptop.logs()
    laptop.run("status", doomed, "--watch", expected=1)
    assert f"{doomed} was cancelled" in laptop.said
    laptop.run("cancel", doomed, expected=1)
    assert f"error: {doomed} is cancelled already" in laptop.said
    assert doomed in laptop.run("runs")


def test_where_there_is_nothing_to_cancel_the_exit_code_tells(team):
    assert team.run("cancel", "@last", expected=5) == ""
