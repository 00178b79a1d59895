"""Reviews of a job on a real Postgres: which rows are drawn, and what stands in the file."""

import csv
import io
import json
from collections import Counter
from xml.etree import ElementTree
from zipfile import ZipFile

import numpy as np
import pytest
from python_calamine import CalamineWorkbook

from relex.db import model_versions, reviews
from relex.domain.review import DrawnBy
from relex.domain.versions import TrainingFile
from relex.errors import JobNotDone, RelexError
from relex.files.reviews import ReviewFormat
from relex.flows.review import review
from relex.labels import RELATIONS
from tests.factories import make_job
from tests.job_steps import score_all
from tests.reviewed import UNSCORED, finished_job


def drawn(database, job, rows, seed=0):
    with database.transaction(snapshot=True) as tx:
        return reviews.draw(tx, job, RELATIONS, rows, seed)


def margins(values):
    ordered = np.sort(values, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def numbers(rows, way):
    return [row.row_no for row in rows if row.drawn_by is way]


def test_half_have_the_smallest_margins_and_half_stand_for_the_rest(database):
    job, items, values = finished_job(database, gold=False)
    rows = drawn(database, job, 40)
    closest = [int(n) for n in np.argsort(margins(values)) if n != UNSCORED][:20]
    assert numbers(rows, DrawnBy.MARGIN) == sorted(closest)
    assert len(rows) == 40
    assert [row.row_no for row in rows] == sorted({row.row_no for row in rows}), "in the order of the file, none twice"
    others = [n for n in range(90) if n not in closest and n != UNSCORED]
    sizes = Counter(f"ORG-{items[n].object.type}" for n in others)
    at_random = [row for row in rows if row.drawn_by is DrawnBy.TYPE_PAIR]
    assert {row.stratum.name: row.stratum.rows for row in at_random} == sizes
    assert all(row.stratum.name == f"ORG-{items[row.row_no].object.type}" for row in at_random)
    assert sum(row.weight for row in at_random) == pytest.approx(len(others))
    assert sum(row.weight for row in rows) == pytest.approx(89), "together they stand for every scored row"


def test_the_seed_draws_the_random_rows_and_nothing_else(database):
    job, *_ = finished_job(database, gold=False)
    first, again, other = (drawn(database, job, 40, seed) for seed in (0, 0, 1))
    assert first == again
    assert numbers(first, DrawnBy.MARGIN) == numbers(other, DrawnBy.MARGIN)
    assert numbers(first, DrawnBy.TYPE_PAIR) != numbers(other, DrawnBy.TYPE_PAIR)


def test_every_row_of_a_stratum_is_drawn_equally_often(database):
    job, *_ = finished_job(database, gold=False)
    times = Counter()
    for seed in range(150):
        rows = [row for row in drawn(database, job, 30, seed) if row.stratum.name == "ORG-PER"]
        times.update(row.row_no for row in rows)
    share = len(rows) / rows[0].stratum.rows
    assert len(times) == rows[0].stratum.rows
    spread = 5 * (150 * share * (1 - share)) ** 0.5
    assert all(abs(count - 150 * share) < spread for count in times.values())


def label_errors(gold, values):
    """Confident learning row by row in numpy, the worst normalized margin first: cleanlab 2.9 makes the same list."""
    own = values[np.arange(len(gold)), gold]
    thresholds = np.array([own[gold == k].mean() if (gold == k).any() else np.inf for k in range(30)])
    found = []
    for row, (label, chances) in enumerate(zip(gold, values, strict=True)):
        above = np.where(chances >= thresholds, chances, -1.0)
        if above.max() >= 0 and above.argmax() != label != chances.argmax():
            found.append((float(own[row] - np.delete(chances, label).max()), row))
    return [row for _, row in sorted(found)]


def test_likely_label_errors_come_from_confident_learning(database):
    job, items, values = finished_job(database)
    kept = [n for n in range(90) if n != UNSCORED]
    gold = np.array([RELATIONS.index(items[n].label) for n in kept])
    expected = [kept[row] for row in label_errors(gold, values[kept])]
    assert len(expected) > 10
    rows = drawn(database, job, 40)
    assert numbers(rows, DrawnBy.LABEL_ERROR) == sorted(expected[:10])
    assert len(numbers(rows, DrawnBy.MARGIN)) == 10
    assert sum(row.weight for row in rows) == pytest.approx(89)


@pytest.mark.parametrize(("asked", "got"), [(1, 1), (2, 2), (3, 3), (89, 89), (5000, 89)])
def test_a_review_has_as_many_rows_as_there_are(database, asked, got):
    job, *_ = finished_job(database)
    rows = drawn(database, job, asked)
    assert len(rows) == got
    if got == 89:
        assert {row.weight for row in rows} == {1.0}


def read_csv(path):
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_csv_has_the_columns_that_a_person_and_the_answers_need(database, tmp_path):
    job, items, values = finished_job(database)
    written = review(database, job, tmp_path / "review.csv", 40, ReviewFormat.CSV)
    rows = read_csv(written.path)
    assert list(rows[0]) == [
        *("id", "text", "subject", "object", "gold", "answer"),
        *("pred_label", "confidence", "second_label", "margin", "flags"),
        *("drawn_by", "stratum", "stratum_rows", "weight", "job", "row_no", "model"),
    ]
    assert len(rows) == written.rows == sum(written.drawn.values()) == 40
    for row in rows:
        item = items[int(row["row_no"])]
        assert (row["id"], row["gold"], row["answer"], row["job"]) == (item.id, item.label, "", job)
        assert row["text"] == f"[회사{item.row_no}]의 대표는 (김{item.row_no})이다."
        assert row["object"] == f"김{item.row_no} ({item.object.type})"
        assert row["pred_label"] == RELATIONS[int(values[item.row_no].argmax())]
        assert row["model"] == "fake@1"


def test_a_workbook_offers_the_labels_as_a_list(database, tmp_path):
    job, *_ = finished_job(database)
    review(database, job, tmp_path / "review.xlsx", 40, ReviewFormat.XLSX)
    book = CalamineWorkbook.from_path(str(tmp_path / "review.xlsx"))
    assert book.sheet_names == ["review", "labels"]
    assert [row[0] for row in book.get_sheet_by_name("labels").to_python()] == list(RELATIONS)
    with ZipFile(tmp_path / "review.xlsx") as archive:
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    (rule,) = (each for each in sheet.iter() if each.tag.endswith("}dataValidation"))
    assert (rule.get("type"), rule.get("sqref")) == ("list", "F2:F41")
    assert [each.text for each in rule] == ["labels!$A$1:$A$30"]


def test_tasks_for_label_studio_have_predictions_as_it_documents_them(database, tmp_path):
    job, _, values = finished_job(database)
    written = review(database, job, tmp_path / "tasks.json", 40, ReviewFormat.LABEL_STUDIO)
    tasks = json.loads(written.path.read_text("utf-8"))
    assert len(tasks) == 40
    for task in tasks:
        assert set(task) == {"data", "predictions"}
        number = int(task["data"]["row_no"])
        (prediction,) = task["predictions"]
        assert prediction["model_version"] == "fake@1"
        assert prediction["score"] == pytest.approx(values[number].max(), abs=1e-6)
        (result,) = prediction["result"]
        label = RELATIONS[int(values[number].argmax())]
        assert result == {"from_name": "answer", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
    config = ElementTree.fromstring(written.config.read_text("utf-8"))
    (choices,) = config.iter("Choices")
    assert choices.attrib == {"name": "answer", "toName": "text", "choice": "single"}
    assert [choice.get("value") for choice in choices] == list(RELATIONS)
    (text,) = config.iter("Text")
    assert text.attrib == {"name": "text", "value": "$text"}
    assert "text" in tasks[0]["data"]


def test_records_for_argilla_have_suggestions_as_its_own_export(database, tmp_path):
    job, _, values = finished_job(database)
    written = review(database, job, tmp_path / "records.json", 40, ReviewFormat.ARGILLA)
    assert written.config is None
    for record in json.loads(written.path.read_text("utf-8")):
        assert set(record) == {"id", "fields", "metadata", "suggestions", "responses", "vectors"}
        number = record["metadata"]["row_no"]
        assert record["id"] == f"{job}:{number}"
        assert record["suggestions"]["answer"]["value"] == RELATIONS[int(values[number].argmax())]
        assert record["suggestions"]["answer"]["agent"] == "fake@1"
        assert all(isinstance(value, str) for value in record["fields"].values())


def test_a_file_that_people_may_have_filled_in_is_never_replaced(database, tmp_path):
    job, *_ = finished_job(database)
    path = tmp_path / "review.csv"
    review(database, job, path, 40, ReviewFormat.CSV)
    before = path.read_bytes()
    review(database, job, path, 40, ReviewFormat.CSV)
    with pytest.raises(RelexError, match="already exists with other content"):
        review(database, job, path, 41, ReviewFormat.CSV)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["review.csv"]


def test_only_a_finished_job_with_predictions_is_reviewed(database, tmp_path):
    job = make_job(database, rows=2).id
    with pytest.raises(JobNotDone):
        review(database, job, tmp_path / "review.csv", 2, ReviewFormat.CSV)
    score_all(database, wrong={0, 1})
    with pytest.raises(RelexError, match="there is nothing to review"):
        review(database, job, tmp_path / "review.csv", 2, ReviewFormat.CSV)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_was_trained_on_the_file_hides_its_label_errors(database, tmp_path):
    job, *_ = finished_job(database)
    assert review(database, job, tmp_path / "a.csv", 40, ReviewFormat.CSV).notes == ()
    with database.transaction() as tx:
        digests = {"config.json": "fake"}
        model_versions.register(tx, "fake", RELATIONS, digests, trained_on=[TrainingFile("june.csv", "0" * 64)])
    (note,) = review(database, job, tmp_path / "b.csv", 40, ReviewFormat.CSV).notes
    assert note.startswith("fake@1 was trained on june.csv")
