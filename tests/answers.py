"""Answers to a review as people and annotation tools write them, and what must come of them."""

import csv
import io
import json

from sqlalchemy import select

from relex.db.tables import row_labels as table
from relex.domain.review import DrawnBy
from relex.files.reading import read_labeled_examples
from relex.files.reviews import ReviewFormat
from relex.flows.status import job_status, labeled_scores


def truth(row_no):
    """What a person answers."""
    return "per:title" if int(row_no) % 4 else "no_relation"


def recorded(database):
    with database.transaction() as tx:
        return {row.row_no: row for row in tx.execute(select(table).order_by(table.c.row_no))}


def check_all_read(database, job, read, path):
    """All 40 answers stand in the training file, in the job, and in its score."""
    job_id, items = job
    assert (read.job, read.labels, read.unanswered, read.undrawn, read.conflicts) == (job_id, 40, 0, 0, ())
    trained = read_labeled_examples(path)
    rows = recorded(database)
    assert len(trained) == len(rows) == 40
    for example, row in zip(trained, rows.values(), strict=True):
        item = items[row.row_no]
        assert (example.id, example.sentence, example.subject, example.object) == (
            *(item.id, item.sentence, item.subject, item.object),
        )
        assert example.label == row.label == truth(row.row_no)
        assert row.drawn_by in tuple(DrawnBy)
    scores = labeled_scores(database, job_status(database, job_id))
    assert (scores.rows, scores.counted) == (40, 40)
    assert scores.accuracy.low <= scores.accuracy.value <= scores.accuracy.high


def filled_in(path):
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    answer, number = rows[0].index("answer"), rows[0].index("row_no")
    for row in rows[1:]:
        row[answer] = truth(row[number])
    return rows


def csv_bytes(rows, encoding="utf-8-sig", delimiter=","):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def annotation(label, number=1, **changes):
    """An annotation as Label Studio 1.x exports it."""
    result = {
        "value": {"choices": [label]},
        "id": f"Dx_{number}",
        "from_name": "answer",
        "to_name": "text",
        "type": "choices",
        "origin": "manual",
    }
    return {
        "id": number,
        "completed_by": number,
        "result": [] if label is None else [result],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-11-28T09:00:00.000000Z",
        "updated_at": "2026-11-28T09:00:00.000000Z",
        "draft_created_at": None,
        "lead_time": 4.288,
        "prediction": {},
        "result_count": 1,
        "unique_id": "2f1cb0a9-2a52-4a1f-94e2-4cd0ac1b1cf1",
        "import_id": None,
        "last_action": None,
        "bulk_created": False,
        "task": 1,
        "project": 1,
        "updated_by": number,
        "parent_prediction": None,
        "parent_annotation": None,
        "last_created_by": None,
    } | changes


def exported(tasks, annotate):
    """What Label Studio exports as JSON for tasks that were imported."""
    return [
        {
            "id": 1000 + place,
            "annotations": annotate(task["data"]["row_no"]),
            "file_upload": "5a1b2c3d-tasks.json",
            "drafts": [{"id": 1, "result": annotation("per:spouse")["result"], "was_postponed": False}],
            "predictions": [place],
            "data": task["data"],
            "meta": {},
            "created_at": "2026-11-28T08:00:00.000000Z",
            "updated_at": "2026-11-28T09:00:00.000000Z",
            "inner_id": place + 1,
            "total_annotations": 1,
            "cancelled_annotations": 0,
            "total_predictions": 1,
            "comment_count": 0,
            "unresolved_comment_count": 0,
            "last_comment_updated_at": None,
            "project": 1,
            "updated_by": 1,
            "comment_authors": [],
        }
        for place, task in enumerate(tasks)
    ]


def label_studio(write_review, tmp_path, annotate, name="export.json"):
    tasks = json.loads(write_review(ReviewFormat.LABEL_STUDIO, "tasks.json").read_text("utf-8"))
    path = tmp_path / name
    path.write_text(json.dumps(exported(tasks, annotate), ensure_ascii=False), "utf-8")
    return path


def argilla(write_review, tmp_path, respond):
    """What `dataset.records.to_json` of Argilla 2 writes, in ASCII and on one line."""
    records = json.loads(write_review(ReviewFormat.ARGILLA, "records.json").read_text("utf-8"))
    for place, record in enumerate(records):
        record["responses"] = respond(record["metadata"]["row_no"])
        record["_server_id"] = f"8f6b1c9e-0000-4000-8000-{place:012d}"
    path = tmp_path / "done.json"
    path.write_text(json.dumps(records), "utf-8")
    return path


def response(label, user=1, **changes):
    return {"value": label, "user_id": f"11111111-2222-4333-8444-{user:012d}"} | changes


def changed(rows, line, **cells):
    """The rows with other cells on one line of the file."""
    copy = [list(row) for row in rows]
    for name, cell in cells.items():
        copy[line - 1][rows[0].index(name)] = cell
    return copy
