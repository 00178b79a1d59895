"""Training runs and model versions as a list shows them: tables, texts, and plain data."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cli.run_text import model_data, models_table, run_data, run_lines, runs_parts
from cli.tables import format_time, render
from relex.domain.runs import RunState, TrainingRun
from relex.domain.versions import ModelVersion, Scores

WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
HISTORY = [
    {"epoch": 1, "micro_f1": 61.0, "auprc": 40.0},
    {"epoch": 2, "micro_f1": 59.0, "auprc": 41.0},
    {"epoch": 3, "micro_f1": 61.0, "auprc": 39.0},
]
PROGRESS = {"step": 1200, "steps": 4000, "epoch": 4, "epochs": 10, "history": HISTORY}
VERSION = ModelVersion("tiny", 1, (), {}, (), WHEN, current=False, note="worse than its best member")


def run(state, metric="micro_f1", **changes):
    return TrainingRun("r-000001", "tiny", {"validation": {"metric": metric}}, "/", state, created_at=WHEN, **changes)


def line(run):
    """The only line below the headings."""
    return render(runs_parts([run])[0]).splitlines()[1]


@pytest.mark.parametrize(
    ("metric", "best"),
    [("micro_f1", "micro-F1 61.00 in epoch 1"), ("auprc", "AUPRC 41.00 in epoch 2")],
)
def test_the_best_score_so_far_is_that_of_the_recipes_metric(metric, best):
    shown = line(run(RunState.RUNNING, metric, progress=PROGRESS))
    assert shown.split() == ["r-000001", "tiny", "running", *format_time(WHEN).split(), "epoch", "4/10", *best.split()]
    data = run_data(run(RunState.RUNNING, metric, progress=PROGRESS))["best"]
    assert (data["metric"], f"{data['score']:.2f} in epoch {data['epoch']}") == (metric, best.split(maxsplit=1)[1])


def test_a_run_before_its_first_epoch_has_no_best_score():
    waiting = run(RunState.QUEUED, progress={})
    assert line(waiting).split() == ["r-000001", "tiny", "queued", *format_time(WHEN).split()]
    assert run_data(waiting)["best"] is None


def test_a_run_that_downloads_its_backbone_says_how_far_it_is():
    download = {"step": 0, "download": {"fetched": 312_000_000, "total": 1_346_100_000}}
    loading = run(RunState.RUNNING, progress=download)
    words = "downloading the backbone: 312.0 MB of 1,346.1 MB"
    assert words in line(loading)
    assert words in run_lines(loading)[1]


def test_the_result_of_a_run_is_a_version_or_the_first_line_of_its_error():
    assert line(run(RunState.DONE, progress={}, model="tiny@3")).endswith("tiny@3")
    failed = run(RunState.FAILED, progress={}, error="data [bold]x.csv is gone\nand more")
    assert runs_parts([failed])[1] == "r-000001: error: data [bold]x.csv is gone"
    assert [str(each) for each in run_lines(failed)[1:]] == ["  error: data [bold]x.csv is gone", "  and more"]
    again = run(RunState.QUEUED, progress={}, error="the hub does not answer")
    assert runs_parts([again])[1] == "r-000001: note: the hub does not answer"


def test_the_note_of_a_model_version_is_in_its_data():
    assert model_data(VERSION)["note"] == "worse than its best member"


def test_scores_of_a_version_stand_in_one_order_however_they_were_measured():
    scores = [Scores("b" * 64, 60, 61.0, 40.0), Scores("a" * 64, 60, 62.0, 41.0), Scores("c" * 64, 7765, 63.0, 42.0)]
    tables = [render(models_table([replace(VERSION, scores=each)])) for each in (tuple(scores), tuple(scores[::-1]))]
    assert tables[0] == tables[1]
    assert [row.split()[-2] for row in tables[0].splitlines()[1:]] == ["7,765", "60", "60"]
    assert [each["sha256"][0] for each in model_data(replace(VERSION, scores=tuple(scores)))["scores"]] == [
        "c",
        "a",
        "b",
    ]
