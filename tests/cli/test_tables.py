"""Tables on terminals of several widths: nothing is wider, no word is broken, and Hangul is two cells wide."""

import os
import pty
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from cli.bench import bench_parts
from cli.evaluation_text import comparison_parts, ensemble_parts, evaluation_parts
from cli.job_text import jobs_table, shards_table
from cli.run_text import models_table, runs_parts
from cli.show import results_table
from cli.tables import Column, Table, number, render
from relex.domain.jobs import Job, Progress
from relex.domain.results import Result
from relex.domain.runs import RunState, TrainingRun
from relex.domain.versions import ModelVersion, Scores
from relex.evaluation import evaluator
from relex.evaluation.shift import reweighted
from relex.flows.compare import Change, Comparison
from relex.flows.ensemble import EnsembleEvaluation
from relex.flows.evaluate import Evaluation, Scored
from relex.labels import RELATIONS
from tests.benchmark.test_report import REPORT
from tests.factories import example, prediction
from tests.processes import ROOT, environment

WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
WIDTHS = (100, 80, 60)
SHORTENED = {"유월의_비틀즈_문장_모음_최종본_2026.csv", "a_very_long_file_name_of_somebody_2026_final.csv"}


def job(name, **counts):
    made = Job("j-7k3f9q", name, "0" * 64, "large_focal@12", 7765, 0, WHEN)
    zero = dict.fromkeys(
        ("open", "unscored", "failed", "reused", "truncated_rows", "done_shards", "failed_shards", "cancelled_shards"),
        0,
    )
    busy = {"done": 7000, "pending_shards": 1, "running_shards": 2, "workers": 2, "stalled_workers": 0, "seconds": 72.0}
    return Progress(made, **(zero | busy | counts))


def run(**changes):
    history = [{"epoch": 1, "micro_f1": 61.0, "auprc": 40.0}]
    progress = {"step": 1200, "steps": 4000, "epoch": 4, "epochs": 10, "fold": 2, "folds": 5, "history": history}
    made = TrainingRun(
        "r-0a1b2c", "large_focal", {"validation": {"metric": "micro_f1"}}, "/", RunState.RUNNING, progress, WHEN
    )
    return replace(made, **changes)


def version(name):
    scores = (Scores("ab" * 32, 7765, 71.1, 70.2, "fp32"), Scores("cd" * 32, 1000, 69.0, 60.2, "default"))
    return ModelVersion(name, 12, RELATIONS, {}, scores, WHEN, current=True)


def scored(name):
    rows = [replace(example(n), label=prediction(example(n // 2 * 2)).label, source="wikipedia") for n in range(60)]
    made = Job("j-7k3f9q", "valid_data.csv", "0" * 64, f"{name}@12", 60, 0, WHEN)
    return Scored(made, version(name), rows, [prediction(row) for row in rows])


def evaluation():
    one = scored("large_focal")
    report = evaluator.evaluate_predictions(one.examples, one.predictions, RELATIONS)
    weighed = reweighted(one.examples, [each.label for each in one.predictions], one.examples[:30])
    return Evaluation(one, report, weighed, ())


def comparison():
    a, b = scored("base"), scored("large_focal")
    paired = evaluator.compare_predictions(a.examples, (a.predictions, RELATIONS), (b.predictions, RELATIONS))
    changes = (Change("train.learning_rate", 3e-05, 1.25e-05), Change("backbone.name", "klue/roberta-base", None))
    return Comparison(a, b, paired, (), changes, None, ())


def ensemble():
    members = (scored("base"), scored("large_focal_tuned"))
    named = [(str(each.version), each.predictions, RELATIONS) for each in members]
    return EnsembleEvaluation(members, evaluator.evaluate_votes(members[0].examples, named), ())


def result(label):
    """A result with a long sentence and long entities."""
    inputs = (
        "유월의 비틀즈는 런던에서 아주 오래 활동한 밴드이다.",
        "로스앤젤레스 다저스 (ORG)",
        "국제축구연맹 회장 (POH)",
    )
    return Result("1", inputs, label, (0.9, 0.1))


LISTS = {
    "jobs": lambda: [jobs_table([job(name) for name in ("june.csv", *sorted(SHORTENED))])],
    "status": lambda: [shards_table(job("june.csv", stalled_workers=1, reused=1204, done_shards=14))],
    "runs": lambda: runs_parts([run(), run(state=RunState.DONE, model="large_focal@12")]),
    "models": lambda: [models_table([version("large_focal"), version("base")])],
    "evaluate": lambda: evaluation_parts(evaluation()),
    "compare": lambda: comparison_parts(comparison()),
    "ensemble": lambda: ensemble_parts(ensemble()),
    "bench": lambda: bench_parts(REPORT),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", LISTS)
def test_every_list_fits_the_terminal_and_breaks_no_word(name, width):
    parts = [part for part in LISTS[name]() if isinstance(part, Table)]
    assert parts
    for part in parts:
        shown = render(part, Console(width=width, color_system=None))
        assert max(map(cell_len, shown.splitlines())) <= width, shown
        whole = {word for row in part.rows for cell in row for word in str(cell).split()}
        whole |= {word for column in part.columns for word in column.heading.split()}
        cut = {word for word in shown.split() if word not in whole}
        assert all(word.endswith("…") for word in cut), cut
        assert not cut or name in ("jobs", "evaluate", "ensemble"), shown


@pytest.mark.parametrize("width", [200, 80, 60, 50, 40])
def test_a_relation_is_whole_on_every_terminal(width):
    longest = max(RELATIONS, key=len)
    for labels in (RELATIONS, [longest], ["no_relation"]):
        shown = render(results_table([result(label) for label in labels]), Console(width=width, color_system=None))
        heading, *lines = shown.splitlines()
        assert "relation" in heading.split()
        assert max(map(cell_len, shown.splitlines())) <= width, shown
        assert all(label in line.split() for label, line in zip(labels, lines, strict=True)), shown
    if width >= 60:
        assert heading.split()[-4:] == ["subject", "object", "relation", "confidence"]
        assert "sentence" in heading or width == 60


def test_at_80_cells_the_columns_that_matter_are_there():
    headings = {name: render(LISTS[name]()[0], Console(width=80)) for name in ("jobs", "runs", "models")}
    for name, words in (
        ("jobs", ("job", "file", "model", "state", "done", "rows", "submitted")),
        ("runs", ("run", "name", "state", "queued", "best", "model")),
        ("models", ("model", "current", "micro-F1", "AUPRC", "rows")),
    ):
        assert all(word in headings[name].split() for word in words), headings[name]


def test_hangul_is_two_cells_wide():
    table = Table((Column("file"), number("rows")), [("유월.csv", "7"), ("june.csv", "1,000")])
    assert render(table) == "file       rows\n유월.csv      7\njune.csv  1,000"


def test_the_columns_of_the_highest_rank_go_first_and_then_texts_are_shortened():
    columns = (Column("name", min_width=6), Column("one", rank=1), Column("two", rank=2))
    table = Table(columns, [("a_long_name", "111", "222")])
    shown = {width: render(table, Console(width=width)).splitlines()[1] for width in (24, 18, 15, 6)}
    assert shown == {24: "a_long_name  111  222", 18: "a_long_…  111  222", 15: "a_long_na…  111", 6: "a_lon…"}


def test_a_table_is_not_folded_where_nobody_looks():
    table = LISTS["jobs"]()[0]
    assert all(name in render(table) for name in SHORTENED)
    assert len(render(table).splitlines()) == 4


SCRIPT = """
from rich.text import Text
from cli.tables import Column, Table, print_parts
print_parts([Table((Column("state"),), [(Text("done", "green"),)])])
"""


def printed(env, *, terminal):
    """What a process prints that has a terminal, or a pipe."""
    mine, its = pty.openpty() if terminal else os.pipe()
    subprocess.run([sys.executable, "-c", SCRIPT], stdout=its, stdin=subprocess.DEVNULL, env=env, cwd=ROOT, check=True)
    if terminal:
        out = os.read(mine, 10_000)
        os.close(its)
    else:
        os.close(its)
        out = os.read(mine, 10_000)
    os.close(mine)
    return out.decode().replace("\r", "")


def test_colors_are_for_terminals_and_for_nobody_who_sets_no_color():
    env = {name: text for name, text in environment().items() if name != "NO_COLOR"} | {"TERM": "xterm"}
    assert "\x1b[32mdone" in printed(env, terminal=True)
    assert printed(env | {"NO_COLOR": "1"}, terminal=True) == "state\ndone\n"
    assert printed(env, terminal=False) == "state\ndone\n"


def test_texts_fold_between_words_but_commands_stay_whole():
    console = Console(width=20, color_system=None)
    assert render("a note of several words", console) == "a note of several\n  words"
    command = "note: type `relex retry j-1 --rows` now"
    assert render(Text(command), console) == command


def test_a_benchmark_names_each_engine_and_who_was_left_out():
    circumstances, table, notes = bench_parts(REPORT)
    assert circumstances.startswith(
        "roberta-base with random weights; 256 rows of 50.5 tokens on average; cpu, 2 threads"
    )
    assert render(table).splitlines()[1].split() == [
        *("plain", "4.00", "8.00", "1.00", "1.00", "1.00"),
        *("40%", "100.00%", "1.0e-07", "2,000", "fp32"),
    ]
    assert notes.splitlines() == [
        "plain: the public way; 64 of the rows",
        "relex: the public way (2 lanes)",
        "pipeline was left out: out of memory",
    ]
