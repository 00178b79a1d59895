"""Training runs and model versions as a list shows them: text with rich's markup, and plain data."""

from datetime import UTC, datetime

import pytest
from cli.render import model_data, run_data, run_line, run_lines
from rich.text import Text

from relex.runs import ModelVersion, RunState, TrainingRun
from relex.times import local

WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
HISTORY = [
    {"epoch": 1, "micro_f1": 61.0, "auprc": 40.0},
    {"epoch": 2, "micro_f1": 59.0, "auprc": 41.0},
    {"epoch": 3, "micro_f1": 61.0, "auprc": 39.0},
]
PROGRESS = {"step": 1200, "steps": 4000, "epoch": 4, "epochs": 10, "history": HISTORY}


def run(state, metric="micro_f1", **changes):
    return TrainingRun("r-000001", "tiny", {"validation": {"metric": metric}}, "/", state, created_at=WHEN, **changes)


@pytest.mark.parametrize(
    ("metric", "best"),
    [("micro_f1", "best micro-F1 61.00 in epoch 1"), ("auprc", "best AUPRC 41.00 in epoch 2")],
)
def test_the_best_score_so_far_is_that_of_the_recipes_metric(metric, best):
    line = Text.from_markup(run_line(run(RunState.RUNNING, metric, progress=PROGRESS))).plain
    assert line == f"r-000001  tiny  running  {local(WHEN)}  epoch 4/10  step 1,200/4,000  {best}"
    told = run_data(run(RunState.RUNNING, metric, progress=PROGRESS))["best"]
    assert (told["metric"], f"{told['score']:.2f} in epoch {told['epoch']}") == (metric, best.split(maxsplit=2)[2])


def test_a_run_before_its_first_epoch_has_no_best_score():
    waiting = run(RunState.QUEUED, progress={})
    assert Text.from_markup(run_line(waiting)).plain == f"r-000001  tiny  queued  {local(WHEN)}"
    assert run_data(waiting)["best"] is None


def test_a_run_that_fetches_its_backbone_says_how_far_it_is():
    fetching = run(RunState.RUNNING, progress={"step": 0, "download": {"fetched": 312_000_000, "total": 1_346_100_000}})
    told = "fetching the backbone: 312.0 MB of 1,346.1 MB"
    assert told in Text.from_markup(run_line(fetching)).plain
    assert told in run_lines(fetching)[1]


def test_what_came_of_a_run_is_told_a_version_or_the_first_line_of_its_error():
    assert "done  tiny@3" in Text.from_markup(run_line(run(RunState.DONE, progress={}, model="tiny@3"))).plain
    failed = run(RunState.FAILED, progress={}, error="data [bold]x.csv is gone\nand more")
    assert Text.from_markup(run_line(failed)).plain.endswith("error: data [bold]x.csv is gone")


def test_the_note_of_a_model_version_is_told():
    version = ModelVersion("tiny", 1, (), {}, (), WHEN, current=False, note="worse than its best member")
    assert model_data(version)["note"] == "worse than its best member"
