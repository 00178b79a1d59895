"""What submit leaves in Postgres: the rows of good files, every cell as it came in, and nothing of a bad one."""

import csv

import pytest

from relex.db.inputs import input_columns
from relex.domain.jobs import JobId
from relex.errors import InvalidCsv
from relex.files.forms.tables import open_table
from relex.files.inputs import open_input, open_inputs
from relex.files.layouts import Layout, distinct_names
from relex.files.options import AUTO, ReadOptions
from relex.flows.export import ExportOptions, export
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.flows.submit import SubmitOptions, check_files, submit
from tests.corpus import csvs
from tests.factories import FakeScorer, register_model, submit_file
from tests.files.real_columns import COLUMNS
from tests.files.real_entities import ENTITIES
from tests.files.real_forms import FORMS
from tests.files.test_cases import rows as good_rows

TABLES = ("jobs", "examples", "shards")
TAKEN = [each for each in (*FORMS, *COLUMNS, *ENTITIES) if not each.refused]


@pytest.fixture
def ready(database):
    register_model(database)
    return database


def counts(database):
    with database.transaction() as tx:
        return [tx.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() for table in TABLES]


def stored_cells(database, job_id):
    """The cells that could not be rebuilt, in the order of the rows."""
    with database.transaction() as tx:
        query = f"SELECT input_cells FROM examples WHERE job_id = '{job_id}' ORDER BY row_no"
        return list(tx.exec_driver_sql(query).scalars())


def read_back(database, job_id):
    """The names and the cells of a job's input."""
    with database.transaction() as tx:
        columns = input_columns(tx, JobId(job_id))
        query = f"SELECT {columns.select.as_string()} FROM examples WHERE job_id = '{job_id}' ORDER BY row_no"
        return columns.names, [columns.cells(row) for row in tx.exec_driver_sql(query)]


def many(rows, bad=(), change=lambda line: line):
    """A CSV of many good rows; those whose numbers are in `bad` are changed."""
    lines = [csvs.row(str(number)) for number in range(rows)]
    return csvs.table(*(change(line) if number in bad else line for number, line in enumerate(lines)))


@pytest.mark.parametrize("file", TAKEN, ids=str)
def test_the_cells_of_a_file_come_back_byte_for_byte(ready, tmp_path, file):
    path = tmp_path / f"june{file.suffix}"
    path.write_bytes(file.content)
    reading = ReadOptions.parse(**file.options)
    job_id = submit_file(ready, path, reading=reading).job_id
    with open_input(path, reading) as opened, open_table(opened.path, opened.name, opened.form) as table:
        wanted = [tuple(record.fields) for record in table.records]
        assert read_back(ready, job_id) == (tuple(table.names), wanted)


@pytest.mark.parametrize("file", TAKEN, ids=str)
def test_a_review_begins_with_the_columns_of_its_file_byte_for_byte(ready, tmp_path, file):
    path = tmp_path / f"june{file.suffix}"
    path.write_bytes(file.content)
    reading = ReadOptions.parse(**file.options)
    job_id = submit_file(ready, path, reading=reading).job_id
    while score_next(ready, Worker("fake", lambda *_: FakeScorer(), LeaseTerms(60, 600, lambda: False))):
        pass
    written = export(ready, job_id, tmp_path / "out", ExportOptions(layout=Layout.REVIEW)).predictions
    with open_input(path, reading) as opened, open_table(opened.path, opened.name, opened.form) as table:
        names, expected = distinct_names(table.names), [record.fields for record in table.records]
    with written.open(encoding="utf-8-sig", newline="") as review:
        header, *rows = csv.reader(review)
    assert header[: len(names)] == names
    assert [row[: len(names)] for row in rows] == expected


@pytest.mark.parametrize("label", ["100", "per:title"])
def test_a_file_in_the_usual_form_stores_no_cell_twice(ready, tmp_path, label):
    (tmp_path / "june.csv").write_text(
        "\n".join(["id,sentence,subject_entity,object_entity,label,source", *good_rows(), ""]).replace("100", label),
        "utf-8",
    )
    job_id = submit_file(ready, tmp_path / "june.csv").job_id
    assert stored_cells(ready, job_id) == [None] * 3


def test_only_what_cannot_be_rebuilt_is_stored(ready, tmp_path):
    lines = [f"{csvs.row('1')},{note}" for note in ("", "중요")]
    lines[1] = lines[1].replace('"1"', '"2"').replace("'ORG'}", "'ORGANIZATION'}")
    (tmp_path / "june.csv").write_text(csvs.table(*lines, header=f"{csvs.HEADER},note"), "utf-8")
    job_id = submit_file(ready, tmp_path / "june.csv").job_id
    changed = csvs.SUBJECT.replace("'ORG'", "'ORGANIZATION'")
    assert stored_cells(ready, job_id) == [None, f'{{"2":"{changed}","4":"중요"}}']


def test_a_job_of_an_earlier_relex_has_the_columns_of_klue(ready, tmp_path):
    (tmp_path / "june.csv").write_text(csvs.table(), "utf-8")
    job_id = submit_file(ready, tmp_path / "june.csv").job_id
    with ready.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET columns = NULL")
    names, cells = read_back(ready, job_id)
    assert names == ("id", "sentence", "subject_entity", "object_entity", "label", "source")
    assert cells == [("7", csvs.SENTENCE, csvs.SUBJECT, csvs.OBJECT, "", "")]


def test_a_bad_row_far_behind_rolls_all_back(ready, tmp_path):
    path = tmp_path / "june.csv"
    path.write_text(many(2_500, {2_000}, lambda line: line.replace("비틀즈", "비틀스", 1)), "utf-8")
    with open_input(path) as file:
        checked = check_files([file])
        assert checked[0].facts is None  # the first rows are good
        seen = []

        def refuse(file):
            seen.append(counts(ready))
            raise InvalidCsv("refused")

        with pytest.raises(InvalidCsv, match="refused"):
            submit(ready, checked, SubmitOptions(), 512, refuse)
    assert seen == [[0, 0, 0]]
    assert counts(ready) == [0, 0, 0]


def test_a_bad_row_far_behind_can_be_skipped(ready, tmp_path):
    path = tmp_path / "june.csv"
    path.write_text(many(2_500, {2_000}, lambda line: line.replace("비틀즈", "비틀스", 1)), "utf-8")
    submission = submit_file(ready, path, SubmitOptions(skip_invalid=True))
    assert (submission.total, submission.rejected, submission.shards) == (2_499, 1, 5)
    assert counts(ready) == [1, 2_499, 5]


def test_a_majority_that_shows_late_is_followed(ready, tmp_path):
    path = tmp_path / "june.csv"
    labels = ["per:title"] * 1_100 + ["100"] * 2_000
    lines = [f"{csvs.row(str(number))},{label}" for number, label in enumerate(labels)]
    path.write_text(csvs.table(*lines, header=f"{csvs.HEADER},label"), "utf-8")
    submission = submit_file(ready, path, SubmitOptions(skip_invalid=True))
    assert (submission.total, submission.rejected) == (2_000, 1_100)


def test_of_several_files_all_become_jobs_or_none(ready, tmp_path):
    paths = [tmp_path / f"{number}.csv" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_text(
            many(1_500 + number, {1_400} if number == 2 else (), lambda line: line.replace("'type'", "")), "utf-8"
        )
    with open_inputs(paths) as files:
        with pytest.raises(InvalidCsv):
            submit(ready, check_files(files), SubmitOptions(), 512, _refuse)
        assert counts(ready) == [0, 0, 0]
        submissions = submit(ready, check_files(files[:2]), SubmitOptions(), 512)
    assert [each.total for each in submissions] == [1_500, 1_501]
    assert counts(ready)[:2] == [2, 3_001]


def _refuse(file):
    raise InvalidCsv(file.name)


def test_all_files_that_cannot_be_read_are_named_at_once(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"%PDF-1.4")
    (tmp_path / "b.csv").write_bytes(b"")
    with pytest.raises(InvalidCsv) as refused, open_inputs([tmp_path / "a.csv", tmp_path / "b.csv"]):
        pass
    assert "a.csv: this is PDF" in str(refused.value)
    assert "b.csv: the file is empty" in str(refused.value)


def test_a_file_that_changes_while_it_is_read_becomes_no_job(ready, tmp_path):
    path = tmp_path / "june.csv"
    path.write_text(many(3), "utf-8")
    with open_input(path) as file:
        checked = check_files([file])
        path.write_text(many(4), "utf-8")
        with pytest.raises(InvalidCsv, match="changed after it was checked"):
            submit(ready, checked, SubmitOptions(), 512)
    assert counts(ready) == [0, 0, 0]


def test_the_same_file_read_in_another_way_is_another_job(ready, tmp_path):
    path = tmp_path / "june.csv"
    path.write_text(csvs.table(csvs.row("7") + ",x", header=f"{csvs.HEADER},key"), "utf-8")
    first = submit_file(ready, path)
    assert submit_file(ready, path).job_id == first.job_id
    assert submit_file(ready, path, reading=ReadOptions.parse(encoding="utf-8")).job_id == first.job_id
    assert submit_file(ready, path, reading=ReadOptions.parse(columns="id=key")).job_id != first.job_id
    assert submit_file(ready, path, reading=AUTO).existing_state is not None
