"""A training run that is cancelled while it trains: it leaves nothing, and its process continues with the next one."""

from tests.acceptance.conftest import RECIPE
from tests.processes import wait_until


def test_a_cancelled_run_leaves_nothing_and_the_next_one_is_trained(laptop):
    (laptop.folder / "tiny.yaml").write_text(RECIPE, "utf-8")
    # A state is saved at every step.
    many = ("--set", "train.epochs=1000", "--set", "train.save_minutes=0")
    doomed = laptop.run_process("train", "--config", "tiny.yaml", *many)
    unended = laptop.home / "models" / ".unfinished"
    wait_until(lambda: list((unended / f"{doomed}.scratch").glob("checkpoint-*")))
    with laptop.database() as database:
        wait_until(lambda: step_of(database, doomed) > 0)
    following = laptop.run("train", "--config", "tiny.yaml", "--set", "train.epochs=1")
    assert laptop.run_json("status", "@last")["run"] == following
    assert laptop.run("cancel", doomed) == ""
    assert f"{doomed} is cancelled" in laptop.said
    laptop.run("status", following, "--watch")
    listed = laptop.run_json("runs")
    assert [(run["run"], run["state"], run["model"]) for run in listed] == [
        (following, "done", "tiny@1"),
        (doomed, "cancelled", None),
    ]
    progress = laptop.run_json("status", doomed)["progress"]
    assert progress["step"] < progress["steps"]
    assert doomed not in [version["run"] for version in laptop.run_json("models")]
    wait_until(lambda: list(unended.iterdir()) == [])  # removed after the run has ended
    assert f"{doomed}: cancelled" in laptop.logs()
    laptop.run("status", doomed, "--watch", expected=1)
    assert f"{doomed} was cancelled" in laptop.said
    laptop.run("cancel", doomed, expected=1)
    assert f"error: {doomed} is cancelled already" in laptop.said
    assert doomed in laptop.run("runs")


def step_of(database, run):
    """The last training step that a run reported; 0 before the first."""
    with database.transaction() as tx:
        found = tx.exec_driver_sql("SELECT progress ->> 'step' FROM runs WHERE id = %s", (run,)).scalar()
    return int(found or 0)


def test_where_there_is_nothing_to_cancel_the_exit_code_says_so(team):
    assert team.run("cancel", "@last", expected=5) == ""
