"""Answers to a review read back, from files as annotation tools write them."""

import csv
import json

import pytest

from relex.errors import InvalidCsv
from relex.files.reviews import ReviewFormat
from relex.flows.labels import read_labels
from relex.flows.status import job_status, labeled_scores
from tests.answers import annotation, argilla, check_all_read, csv_bytes, label_studio, recorded, response, truth


def test_label_studios_json_comes_back(database, reviewed_job, write_review, tmp_path):
    """Three people: one skipped every task, two agree."""

    def annotate(row_no):
        label = truth(row_no)
        skipped = annotation("per:spouse", 2, was_cancelled=True)
        return [annotation(label), skipped, annotation(label, 3)]

    read = read_labels(database, [label_studio(write_review, tmp_path, annotate)], tmp_path / "train.csv")
    check_all_read(database, reviewed_job, read, tmp_path / "train.csv")


def test_ground_truth_stands_for_all_annotations(database, reviewed_job, write_review, tmp_path):
    def annotate(row_no):
        return [annotation("per:spouse"), annotation(truth(row_no), 2, ground_truth=True)]

    read = read_labels(database, [label_studio(write_review, tmp_path, annotate)], tmp_path / "train.csv")
    check_all_read(database, reviewed_job, read, tmp_path / "train.csv")


def test_people_who_differ_are_listed_and_left_out(database, reviewed_job, write_review, tmp_path):
    rows = []

    def annotate(row_no):
        rows.append(int(row_no))
        if len(rows) > 3:
            return []  # an unfinished task
        return [annotation("per:title"), annotation("per:title", 2), annotation("per:spouse", 3)][: len(rows) + 1]

    read = read_labels(database, [label_studio(write_review, tmp_path, annotate)], tmp_path / "train.csv")
    assert (read.labels, read.unanswered) == (1, 37)
    assert [conflict.answers for conflict in read.conflicts] == [{"per:title": 2, "per:spouse": 1}] * 2
    with (tmp_path / "train.conflicts.csv").open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [row["row_no"] for row in listed] == [str(n) for n in rows[1:3]]
    assert listed[0]["answers"] == "per:title (2); per:spouse (1)"
    assert listed[0]["places"] == "export.json line 1"
    assert set(recorded(database)) == {rows[0]}


@pytest.mark.parametrize("form", ["json", "csv"])
def test_label_studios_small_exports_have_a_line_for_each_annotator(
    database, reviewed_job, write_review, tmp_path, form
):
    """JSON_MIN and CSV: the fields of the task, and the control's name with the answer; `id` is the task's."""
    tasks = json.loads(write_review(ReviewFormat.LABEL_STUDIO, "tasks.json").read_text("utf-8"))
    lines = [
        task["data"] | {"id": 1000 + place, "answer": truth(task["data"]["row_no"]), "annotator": annotator}
        for place, task in enumerate(tasks)
        for annotator in (1, 2)
    ]
    path = tmp_path / f"export.{form}"
    if form == "json":
        path.write_text(json.dumps(lines), "utf-8")
    else:
        path.write_bytes(csv_bytes([list(lines[0]), *(list(line.values()) for line in lines)], "utf-8"))
    read = read_labels(database, [path], tmp_path / "train.csv")
    check_all_read(database, reviewed_job, read, tmp_path / "train.csv")


def test_argillas_records_come_back(database, reviewed_job, write_review, tmp_path):
    def respond(row_no):
        others = [response("per:spouse", 2, status="discarded"), response("per:spouse", 3, status="draft")]
        return {"answer": [response(truth(row_no), status="submitted"), *others], "comment": [response("?")]}

    read = read_labels(database, [argilla(write_review, tmp_path, respond)], tmp_path / "train.csv")
    check_all_read(database, reviewed_job, read, tmp_path / "train.csv")


def test_argillas_records_without_responses_are_unanswered(database, reviewed_job, write_review, tmp_path):
    numbers = []

    def respond(row_no):
        numbers.append(row_no)
        return {"answer": [response("per:title")]} if len(numbers) == 1 else {}

    read = read_labels(database, [argilla(write_review, tmp_path, respond)], tmp_path / "train.csv")
    assert (read.labels, read.unanswered) == (1, 39)
    assert labeled_scores(database, job_status(database, reviewed_job[0])).accuracy is None


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ([{"result": "none"}], "an annotation has no list of results"),
        ("nobody", "'nobody' is not JSON"),
        ([annotation("per:spous")], "unknown label 'per:spous'"),
        ([annotation("per:spouse", result=[*annotation("a:b")["result"], *annotation("c:d")["result"]])], "more than"),
    ],
)
def test_a_bad_annotation_is_named_with_its_line(database, reviewed_job, write_review, tmp_path, annotations, message):
    path = label_studio(write_review, tmp_path, lambda _: annotations)
    with pytest.raises(InvalidCsv) as caught:
        read_labels(database, [path], tmp_path / "train.csv")
    lines = str(caught.value).splitlines()
    assert lines[0] == "export.json: 40 rows cannot be read, so nothing was written"
    assert "line 1, id 문서" in lines[1]
    assert message in lines[1]
    assert lines[6] == "  ... 35 more"
