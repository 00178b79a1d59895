"""Commands on jobs and runs as a person meets them: each says what it changed, or why it did not."""

from tests.acceptance.conftest import RECIPE
from tests.processes import wait_until


def test_a_job_is_paused_resumed_cancelled_tried_again_and_purged(team):
    job = team.run("submit", "data/test_data.csv", "--priority", "-5", "--max-failed", "10%")
    queued = team.run_json("status", job)
    assert (queued["state"], queued["priority"], queued["max_failed"]) == ("queued", -5, 6)
    team.run("pause", job)
    assert f"{job} is paused; shards waiting: 1" in team.said
    shown = team.run("status", job)
    assert "paused since 2" in shown
    assert f"note: paused on request; `relex resume {job}` resumes it" in shown
    assert team.run("submit", "data/test_data.csv") == job
    assert f"(paused); `relex resume {job}` resumes it" in team.said
    team.run("export", job, "--out", "out", expected=1)
    assert f"`relex resume {job}` resumes it, `--partial` writes the predictions that it has" in team.said
    team.run("resume", "@last")
    team.run("priority", job, "-7")
    assert "priority -7" in team.said
    team.run("cancel", "@last")
    assert f"{job} is cancelled: 0 of 60 rows done and kept" in team.said
    ended = team.run_json("status", job)
    assert (ended["state"], ended["reason"], ended["unscored"]) == ("cancelled", "cancelled on request", 60)
    assert ended["since"] == ended["cancelled_at"]
    team.run("pause", job, expected=1)
    assert f"error: {job} is cancelled already: there is nothing to pause" in team.said
    team.run("export", job, "--out", "out", expected=1)
    assert f"`relex retry {job}` retries what is unscored, `--partial` writes" in team.said
    team.run("export", job, "--out", "out", "--partial")
    assert (team.folder / "out" / f"{job}.csv").read_text("utf-8").splitlines() == ["id,pred_label,probs"]
    team.run("retry", job, "--rows")
    assert f"{job} is queued: 60 of 60 rows queued" in team.said
    team.run("cancel", job)
    assert team.run("purge", "--older-than", "1h", "--yes") == ""
    assert team.run("purge", "--older-than", "0d", "--dry-run").startswith(f"{job}\ttest_data.csv\t60 rows\tended 2")
    assert team.run("purge", "--older-than", "0d", expected=2) == ""  # no terminal to ask on
    assert team.run("purge", "--older-than", "0d", "--yes").startswith(job)
    team.run("status", job, expected=5)


def test_wrong_values_are_refused_with_what_is_right(team):
    for arguments, words in (
        (
            ["purge", "--older-than", "soon"],
            "not an age: write up to four digits and m, h, d or w, as in `--older-than 30d`",
        ),
        (
            ["submit", "data/test_data.csv", "--max-failed", "some"],
            "write a number of rows or a share of them, as in `--max-failed 10`",
        ),
        (["submit", "data/test_data.csv", "--priority", "1000"], "not in the range -100<=x<=100"),
    ):
        team.run(*arguments, expected=2)
        assert words in team.said
    team.run("pause", "r-abc", expected=3)
    assert "r-abc is a training run: only jobs can be paused" in team.said


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
