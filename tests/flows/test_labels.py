"""Answers to a review read back, from tables as people save them."""

import zipfile

import pandas as pd
import pytest

from relex.db import row_labels
from relex.errors import InvalidCsv, JobNotFound, RelexError
from relex.files.reviews import ReviewFormat
from relex.flows.labels import read_labels
from relex.flows.status import job_status, labeled_scores
from tests.answers import changed, check_all_read, csv_bytes, filled_in, recorded, truth
from tests.reviewed import finished_job


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8-sig", ","), ("cp949", ","), ("utf-16", "\t")])
def test_a_csv_comes_back_as_excel_saves_it(database, reviewed_job, write_review, tmp_path, encoding, delimiter):
    path = write_review(ReviewFormat.CSV, "review.csv")
    path.write_bytes(csv_bytes(filled_in(path), encoding, delimiter))
    read = read_labels(database, [path], tmp_path / "train.csv")
    check_all_read(database, reviewed_job, read, tmp_path / "train.csv")


def test_a_workbook_comes_back_with_numbers_where_there_were_texts(database, reviewed_job, write_review, tmp_path):
    frame = pd.read_excel(write_review(ReviewFormat.XLSX, "review.xlsx"), engine="calamine")
    assert frame["row_no"].dtype.kind == "i", "as a spreadsheet stores them"
    frame["answer"] = frame["row_no"].map(truth)
    with pd.ExcelWriter(tmp_path / "done.xlsx", engine="xlsxwriter") as book:
        frame.to_excel(book, sheet_name="review", index=False)
    read = read_labels(database, [tmp_path / "done.xlsx"], tmp_path / "train.csv")
    check_all_read(database, reviewed_job, read, tmp_path / "train.csv")


def test_files_of_two_people_are_read_together(database, reviewed_job, write_review, tmp_path):
    path = write_review(ReviewFormat.CSV, "review.csv")
    rows = filled_in(path)
    answer = rows[0].index("answer")
    rows[1][answer] = "per:spouse"
    path.write_bytes(csv_bytes(rows))
    rows[1][answer] = "per:title"
    rows[2][answer] = ""
    (tmp_path / "second.csv").write_bytes(csv_bytes(rows))
    read = read_labels(database, [path, tmp_path / "second.csv"], tmp_path / "train.csv")
    (conflict,) = read.conflicts
    assert conflict.places == ("review.csv line 2", "second.csv line 2")
    assert read.labels == 39


def test_a_newer_label_replaces_an_older_one(database, reviewed_job, write_review, tmp_path):
    path = write_review(ReviewFormat.CSV, "review.csv")
    rows = filled_in(path)
    path.write_bytes(csv_bytes(rows))
    read_labels(database, [path], tmp_path / "train.csv")
    rows[1][rows[0].index("answer")] = "per:spouse"
    path.write_bytes(csv_bytes(rows))
    with pytest.raises(RelexError, match=r"train\.csv already exists with other content"):
        read_labels(database, [path], tmp_path / "train.csv")
    number = int(rows[1][rows[0].index("row_no")])
    assert recorded(database)[number].label == truth(number), "the database is as it was, like the file"
    read_labels(database, [path], tmp_path / "train-2.csv")
    assert recorded(database)[number].label == "per:spouse"


def test_labels_of_rows_drawn_nobody_knows_how_train_but_do_not_count(database, reviewed_job, write_review, tmp_path):
    path = write_review(ReviewFormat.CSV, "review.csv")
    rows = filled_in(path)
    kept = [index for index, name in enumerate(rows[0]) if name not in ("stratum", "stratum_rows", "drawn_by")]
    path.write_bytes(csv_bytes([[row[index] for index in kept] for row in rows]))
    read = read_labels(database, [path], tmp_path / "train.csv")
    assert (read.labels, read.undrawn) == (40, 40)
    scores = labeled_scores(database, job_status(database, reviewed_job[0]))
    assert (scores.rows, scores.counted, scores.accuracy) == (40, 0, None)


def test_reviews_filled_in_by_half_stand_for_the_job_all_the_same(database, reviewed_job, write_review, tmp_path):
    path = write_review(ReviewFormat.CSV, "review.csv")
    rows = filled_in(path)
    for row in rows[1::2]:
        row[rows[0].index("answer")] = ""
    path.write_bytes(csv_bytes(rows))
    assert read_labels(database, [path], tmp_path / "train.csv").unanswered == 20
    scores = labeled_scores(database, job_status(database, reviewed_job[0]))
    assert scores.accuracy.high - scores.accuracy.low > 15
    with database.transaction() as tx:
        strata = {row.stratum for row in row_labels.of_job(tx, reviewed_job[0])}
    assert 0.9 * 89 <= sum(stratum.rows for stratum in strata) < 89, "one small stratum has no answer"


BAD = [
    ({"answer": "per:spous"}, "answer: unknown label 'per:spous' (did you mean per:spouse?)"),
    ({"answer": '{"choices": ["per:spouse", "per:title"]}'}, "answer: 'per:spouse, per:title' is more than one label"),
    ({"row_no": "five"}, "row_no: 'five' is not the number of a row of the job"),
    ({"row_no": "4000"}, "row_no: {job} has no row 4,000"),
    ({"stratum_rows": "many"}, "stratum_rows: 'many' is not a number of rows"),
    ({"id": "other", "text": "other"}, "row_no: row {row:,} of {job} is another one, with the id {id}"),
]


@pytest.mark.parametrize(("cells", "message"), BAD)
def test_a_bad_row_is_named_with_its_line_and_nothing_is_written(
    database, reviewed_job, write_review, tmp_path, cells, message
):
    path = write_review(ReviewFormat.CSV, "review.csv")
    rows = filled_in(path)
    path.write_bytes(csv_bytes(changed(rows, 5, **cells)))
    with pytest.raises(InvalidCsv) as caught:
        read_labels(database, [path], tmp_path / "train.csv")
    first, second, *_ = str(caught.value).splitlines()
    number, id_ = (rows[4][rows[0].index(name)] for name in ("row_no", "id"))
    assert first == "review.csv: 1 row cannot be read, so nothing was written"
    assert second.startswith(
        f"  line 5, id {cells.get('id', id_)}  {message.format(job=reviewed_job[0], row=int(number), id=id_)}"
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["review.csv"]
    assert recorded(database) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,sentence\n1,a\n", "export.json: line 1: no review: it lacks the columns answer and row_no"),
        (b'[{"a": 1}]', "no review: it lacks the columns"),
        (b'{"annotations": [', "not JSON"),
        (b"", "the file is empty"),
        (b"answer,row_no\nper:title,0\n", "no column says of which job the rows are; as in `--job @last`"),
        (b"answer,row_no,job\nper:title,0,j-000000\n", "no job has the id j-000000"),
        (
            b"answer,row_no,job\n,0,j-000000\n,1,j-000001\n",
            "the rows are of several jobs: j-000000 (export.json line 2)",
        ),
    ],
)
def test_a_file_that_is_no_review_is_refused(database, reviewed_job, tmp_path, content, message):
    path = tmp_path / "export.json"
    path.write_bytes(content)
    with pytest.raises((InvalidCsv, JobNotFound)) as caught:
        read_labels(database, [path], tmp_path / "train.csv")
    assert message in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["export.json"]


def test_the_rows_must_be_of_the_job_that_is_named(database, reviewed_job, write_review, tmp_path):
    path = write_review(ReviewFormat.CSV, "review.csv")
    path.write_bytes(csv_bytes(filled_in(path)))
    other, *_ = finished_job(database, 91)
    with pytest.raises(InvalidCsv, match=f"a row of {reviewed_job[0]}, not of {other}"):
        read_labels(database, [path], tmp_path / "train.csv", other)
    assert read_labels(database, [path], tmp_path / "train.csv", reviewed_job[0]).labels == 40


def test_a_file_without_any_answer_is_refused(database, write_review, tmp_path):
    with pytest.raises(InvalidCsv, match="no row has an answer in column answer"):
        read_labels(database, [write_review(ReviewFormat.CSV, "review.csv")], tmp_path / "train.csv")


def test_a_damaged_workbook_is_refused(database, write_review, tmp_path):
    path = write_review(ReviewFormat.XLSX, "review.xlsx")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<")
    with pytest.raises(InvalidCsv):
        read_labels(database, [path], tmp_path / "train.csv")
