"""The promise: a file goes in, and for every row a label and 30 probabilities come out."""

import csv
import json
import os
import signal
from itertools import islice

import pandas as pd
import pytest

from relex.flows.status import job_status
from relex.labels import RELATIONS
from tests.processes import started, wait_until

FAKE = "tests.factories:FakeScorer"
"""For tests of what surrounds the scoring: a process that imports torch takes seconds to start."""


def exported(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_complete(folder, job, ids):
    rows = exported(folder / f"{job}.csv")
    assert [row["id"] for row in rows] == ids
    labels = json.loads((folder / f"{job}.labels.json").read_text("utf-8"))
    assert sorted(labels) == sorted(RELATIONS)
    for row in rows:
        probabilities = json.loads(row["probs"])
        assert len(probabilities) == 30
        assert abs(sum(probabilities) - 1) < 1e-4
        assert row["pred_label"] == labels[probabilities.index(max(probabilities))]
    return rows


OWN_ROWS = [
    ["가수 김하늘은 푸른소리의 대표이다.", "김하늘", "인물", "푸른소리", "기관"],
    ["시인 허난설헌은; 강릉에서 태어났다.", "허난설헌", "인물", "강릉", "장소"],
]


def test_a_table_as_people_have_it_becomes_a_workbook_in_two_commands(laptop):
    """CP949 with semicolons, Korean names, words without offsets, no ids: what Excel in Korea saves."""
    with (laptop.folder / "자료.csv").open("w", encoding="cp949", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["문장", "주체", "주체_유형", "객체", "객체_유형"], *OWN_ROWS])
    laptop.env |= {"RELEX_SCORER": FAKE}
    job = laptop.run("submit", "자료.csv", "--follow")
    laptop.run("export", "--layout", "review", "--format", "xlsx", "--out", "out")
    review = pd.read_excel(laptop.folder / "out" / f"{job}.review.xlsx", engine="calamine", dtype=object)
    assert list(review)[5:] == ["pred_label", "confidence", "second_label", "margin", "flags"]
    assert review.iloc[:, :5].to_numpy().tolist() == OWN_ROWS
    assert set(review["pred_label"]) <= set(RELATIONS)


def test_a_laptop_without_services_scores_a_file(laptop):
    job = laptop.run_process("submit", "data/test_data.csv", "--wait", "--export", "out")
    assert_complete(laptop.folder / "out", job, [str(n) for n in range(60)])
    manifest = json.loads((laptop.folder / "out" / f"{job}.manifest.json").read_text("utf-8"))
    assert (manifest["job"], manifest["partial"], manifest["rows"]["accepted"]) == (job, False, 60)
    assert len(manifest["input"]["sha256"]) == len(manifest["model"]["sha256"]["model.safetensors"]) == 64
    state = laptop.run_json("status", "@last")
    assert (state["job"], state["state"], state["done"], state["total"], state["failed"]) == (job, "done", 60, 60, 0)


def test_a_laptop_whose_background_processes_are_killed_continues_with_the_next_look(laptop):
    laptop.env |= {"RELEX_SCORER": "tests.factories:SlowScorer", "RELEX_SHARD_ROWS": "20", "RELEX_LEASE_SECONDS": "1"}
    job = laptop.run_process("submit", "data/test_data.csv")
    with laptop.database() as database:
        wait_until(lambda: job_status(database, job).running_shards)
    for process in laptop.background_processes():
        os.kill(process, signal.SIGKILL)
    laptop.follow(job)
    assert laptop.run_json("status", job)["done"] == 60


def test_foreign_text_with_square_brackets_is_just_text(laptop):
    laptop.env["RELEX_SCORER"] = FAKE
    text = (laptop.folder / "data" / "test_data.csv").read_text("utf-8-sig")
    lines = text.splitlines()
    (laptop.folder / "[bold]odd[x].csv").write_text(
        "\n".join([lines[0] + ",[/x]", *(line + "," for line in lines[1:])]), "utf-8"
    )
    job = laptop.run("submit", "[bold]odd[x].csv")
    assert "[bold]odd[x].csv" in laptop.run("status", job)


def test_the_same_file_finds_the_same_job_unless_asked_again(laptop):
    laptop.env["RELEX_SCORER"] = FAKE
    first = laptop.run("submit", "data/test_data.csv")
    assert laptop.run("submit", "data/test_data.csv") == first
    assert "submitted before" in laptop.said
    again = json.loads(laptop.run("submit", "data/test_data.csv", "--again", "--json", "--wait"))
    laptop.run("submit", "data/test_data.csv")
    assert laptop.run_json("status", "@last")["job"] == first
    assert again["job"] != first
    assert (again["existing"], again["total"]) == (False, 60)
    laptop.run("export", again["job"][:6], "--out", "out")
    laptop.run("status", first, "--watch")
    laptop.run("export", first, "--out", "out")
    files = [laptop.folder / "out" / f"{job}.csv" for job in (first, again["job"])]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_rows_that_were_scored_before_are_reused_and_counted(laptop):
    laptop.env["RELEX_SCORER"] = FAKE
    first = laptop.run("submit", "data/test_data.csv", "--wait", "--export", "out")
    laptop.env["RELEX_SCORER"] = "tests.factories:no_such_scorer"
    again = laptop.run("submit", "data/test_data.csv", "--again", "--wait", "--export", "out")
    files = [laptop.folder / "out" / f"{job}.csv" for job in (first, again)]
    assert files[0].read_bytes() == files[1].read_bytes()
    manifest = json.loads((laptop.folder / "out" / f"{again}.manifest.json").read_text("utf-8"))
    state = laptop.run_json("status", again)
    assert (manifest["rows"]["reused"], state["reused"], state["done"]) == (60, 60, 60)
    for job, reused in ((again, "60"), (first, "0")):
        headings, counts = laptop.run("status", job).splitlines()[3:5]
        assert headings.split() == ["shards", "done", "rows", "reused", "truncated", "failed"]
        assert counts.split()[1] == reused


def test_a_file_with_bad_rows_is_refused_whole_and_its_good_rows_taken_on_request(laptop):
    laptop.env["RELEX_SCORER"] = FAKE
    text = (laptop.folder / "data" / "test_data.csv").read_text("utf-8-sig").splitlines(keepends=True)
    text[3] = text[3].replace("'start_idx': ", "'start_idx': 9")
    (laptop.folder / "bad.csv").write_text("".join(text), "utf-8")
    assert laptop.run("submit", "bad.csv", expected=3) == ""
    assert "1 of 60 rows" in laptop.said
    assert "line 4, id 2" in laptop.said
    assert "Traceback" not in laptop.said
    assert len((laptop.folder / "bad.rejected.csv").read_text("utf-8-sig").splitlines()) == 2
    assert laptop.run("jobs", "--json") == "[]"
    job = laptop.run("submit", "bad.csv", "--skip-invalid", "--wait", "--export", "out")
    assert_complete(laptop.folder / "out", job, [str(n) for n in range(60) if n != 2])


def test_unknown_and_unended_jobs_have_their_exit_codes(team):
    assert team.run("status", "j-nothing", expected=5) == ""
    assert team.run("export", "--out", "out", expected=5) == ""
    job = team.run("submit", "data/test_data.csv")
    assert team.run("export", "--out", "out", expected=1) == ""
    assert f"{job} is queued" in team.said
    team.run("export", "--out", "out", "--partial")
    assert exported(team.folder / "out" / f"{job}.csv") == []
    assert json.loads((team.folder / "out" / f"{job}.manifest.json").read_text())["partial"] is True


def test_a_service_that_does_not_answer_is_an_error_of_one_line(team):
    team.env["RELEX_DATABASE_URL"] = "postgresql://127.0.0.1:1/nothing"
    assert team.run("submit", "data/test_data.csv", expected=4) == ""
    assert "Postgres" in team.said.splitlines()[-1]


def test_redis_down_is_a_warning_and_the_job_is_queued(team):
    team.env["RELEX_BROKER_URL"] = "redis://127.0.0.1:1/0"
    job = team.run("submit", "data/test_data.csv")
    assert "warning: Redis takes no doorbells" in team.said
    assert team.run_json("status", job)["state"] == "queued"


KLUE_ROWS = 500


@pytest.fixture
def klue_file(klue, tmp_path):
    """The first rows of KLUE-RE's test file: enough for a worker to be killed in the middle."""
    path = tmp_path / "klue.csv"
    with (klue / "test_data.csv").open(encoding="utf-8", newline="") as source, path.open("w", newline="") as target:
        csv.writer(target).writerows(islice(csv.reader(source), 1 + KLUE_ROWS))
    return path


def test_two_workers_give_what_a_laptop_gives_although_one_is_killed(
    team, database, laptop_labels, klue_file, tmp_path
):
    team.env["RELEX_SHARD_ROWS"] = "32"
    log = tmp_path / "worker.log"
    arguments = ("worker", "--queues", "score", "--concurrency", "1")
    with started(*arguments, env=team.env, log=log), started(*arguments, env=team.env, log=log) as doomed:
        job = team.run("submit", klue_file)
        wait_until(lambda: job_status(database, job).done > KLUE_ROWS // 10)
        doomed.send_signal(signal.SIGKILL)
        team.follow(job)
    team.run("export", job, "--out", "out")
    rows = assert_complete(team.folder / "out", job, [str(n) for n in range(KLUE_ROWS)])
    assert [row["pred_label"] for row in rows] == laptop_labels


@pytest.fixture
def laptop_labels(laptop, klue_file):
    """What the embedded default says of the same file."""
    job = laptop.run("submit", klue_file, "--wait", "--quiet")
    laptop.run("export", "--out", "out")
    rows = assert_complete(laptop.folder / "out", job, [str(n) for n in range(KLUE_ROWS)])
    return [row["pred_label"] for row in rows]
