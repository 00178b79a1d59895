"""Exports in every layout: what Postgres filters and sorts, and which files go beside one another."""

import csv
import io
import json
from dataclasses import replace
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from relex.db import examples, jobs, shards
from relex.db.connection import driver
from relex.domain.examples import Outcome, Prediction, RowError
from relex.domain.jobs import NewJob
from relex.domain.results import Selection
from relex.errors import InvalidInput, JobNotDone, RelexError
from relex.files.layouts import Format, Layout, columns_of
from relex.files.reading import read_all_examples
from relex.flows import control
from relex.flows.export import ExportOptions, export, export_to_stream
from relex.labels import RELATIONS
from tests.factories import example, make_job, prediction, register_model, without_cells
from tests.job_steps import claim, do

TODAY = """
    COPY (
        SELECT id, label, array_to_json(probabilities) FROM (
            SELECT row_no, examples.id, predictions.label, predictions.probabilities
            FROM predictions JOIN examples USING (job_id, row_no)
            WHERE job_id = '{}' ORDER BY row_no
        ) AS sorted ORDER BY row_no
    ) TO STDOUT (FORMAT CSV)
"""
"""What an export did before there were layouts."""
TOPS = (0.5, 0.9, 0.35, 0.9, 0.6)
SECONDS = (0.25, 0.05, 0.3125, 0.05, 0.375)
LABELS = ("per:title", "per:spouse", "per:title", "no_relation", "per:title")


def made_prediction(row_no):
    """A prediction whose runner-up is org:members; rows 1 and 3 have equal margins."""
    best, second = RELATIONS.index(LABELS[row_no]), RELATIONS.index("org:members")
    rest = (1 - TOPS[row_no] - SECONDS[row_no]) / 28
    values = [TOPS[row_no] if n == best else SECONDS[row_no] if n == second else rest for n in range(30)]
    return Prediction(row_no, LABELS[row_no], tuple(values), truncated=row_no == 1)


@pytest.fixture
def job(database):
    """A finished job: five rows with the predictions above, the last reused, and a sixth that could not be scored."""
    model = register_model(database)
    rows = [replace(example(n, None if n else "per:title"), id=f"=id,{n}") for n in range(6)]
    with database.transaction() as tx:
        job_id = jobs.insert_job(tx, NewJob("key", "a.csv", "0" * 64, model, len(rows), 0))
        examples.copy_in(tx, job_id, without_cells(rows))
        shards.create_shards(tx, job_id, len(rows), 512)
        made = [made_prediction(n) for n in range(5)]
        keys = {n: UUID(int=n) for n in range(4)}
        error = RowError(5, "cannot-be-scored", "too long")
        shards.complete(tx, shards.claim(tx, "worker", 60), Outcome(made[:4], [error], made[4:], keys))
        jobs.close_if_ended(tx, job_id)
    return job_id


@pytest.fixture
def rows_of(database, job):
    """rows_of(layout, selection...): the records of an export to standard output, as dicts."""

    def read(layout=Layout.REVIEW, **selection):
        file = io.BytesIO()
        options = ExportOptions(layout, selection=Selection(**selection))
        count, _ = export_to_stream(database, job, file, options)
        rows = list(csv.DictReader(io.StringIO(file.getvalue().decode("utf-8-sig"), newline="")))
        assert count == len(rows)
        return rows

    return read


def numbers(rows):
    return [int(row["id"][-1]) for row in rows]


def test_the_default_has_the_bytes_that_it_always_had(database, job, tmp_path):
    with database.transaction() as tx, driver(tx).cursor() as cursor, cursor.copy(TODAY.format(job)) as copy:
        before = b"id,pred_label,probs\n" + b"".join(map(bytes, copy))
    file = io.BytesIO()
    assert export_to_stream(database, job, file, ExportOptions()) == (5, None)
    assert file.getvalue() == export(database, job, tmp_path).predictions.read_bytes() == before


def test_a_review_has_the_input_then_what_a_person_needs(rows_of):
    rows = rows_of()
    assert list(rows[0]) == [
        *("id", "sentence", "subject_entity", "object_entity", "label", "source"),
        *("pred_label", "confidence", "second_label", "margin", "flags"),
    ]
    assert rows[0] == {
        "id": "=id,0",
        "sentence": "회사0의 대표는 김0이다.",
        "subject_entity": "{'word': '회사0', 'start_idx': 0, 'end_idx': 2, 'type': 'ORG'}",
        "object_entity": "{'word': '김0', 'start_idx': 9, 'end_idx': 10, 'type': 'PER'}",
        "label": "per:title",
        "source": "relex",
        "pred_label": "per:title",
        "confidence": "0.5",
        "second_label": "org:members",
        "margin": "0.25",
        "flags": "",
    }
    assert [row["flags"] for row in rows] == ["", "truncated", "", "", "reused", "cannot-be-scored"]
    empty = ("label", "pred_label", "confidence", "second_label", "margin")
    assert [rows[5][name] for name in empty] == [""] * 5


def test_a_review_may_be_submitted_again(rows_of, tmp_path):
    """Its columns are those of an input, so what stands in Postgres comes back as it was read."""
    path = tmp_path / "again.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows_of()[0]))
        writer.writeheader()
        writer.writerows(rows_of())
    expected = [replace(example(n, None if n else "per:title"), id=f"=id,{n}") for n in range(6)]
    assert read_all_examples(path) == expected


def test_a_column_of_the_input_that_is_named_like_one_of_a_review_keeps_its_cells():
    """As in the review of a review: each name stands once, and relex's own are those that programs look for."""
    names = [
        column.name
        for column in columns_of(Layout.REVIEW, RELATIONS, ["id", "custom_id", "flags", "input_flags", "flags"])
    ]
    assert names[:3] == ["id", "input_custom_id", "input_flags"]
    assert names[3:5] == ["input_input_flags", "input_input_input_flags"]
    assert names[5:] == ["pred_label", "confidence", "second_label", "margin", "flags"]


def test_wide_has_a_column_for_each_label(rows_of):
    rows = rows_of(Layout.WIDE)
    assert list(rows[0]) == ["id", "pred_label", *RELATIONS]
    assert numbers(rows) == [0, 1, 2, 3, 4]
    assert (rows[2]["per:title"], rows[2]["org:members"]) == ("0.35", "0.3125")


@pytest.mark.parametrize("layout", list(Layout))
def test_filters_and_order_are_the_same_in_every_layout(rows_of, layout):
    everything = [0, 1, 2, 3, 4, 5] if layout is Layout.REVIEW else [0, 1, 2, 3, 4]
    assert numbers(rows_of(layout)) == everything
    assert numbers(rows_of(layout, labels=("per:title",))) == [0, 2, 4]
    assert numbers(rows_of(layout, labels=("per:spouse", "no_relation"))) == [1, 3]
    assert numbers(rows_of(layout, min_confidence=0.6)) == [1, 3, 4]
    assert numbers(rows_of(layout, min_confidence=0.9)) == [1, 3]  # what is shown as 0.9 is at least 0.9
    assert numbers(rows_of(layout, by_margin=True)) == [2, 4, 0, 1, 3, *everything[5:]]
    assert numbers(rows_of(layout, by_margin=True, limit=2)) == [2, 4]
    assert numbers(rows_of(layout, limit=2)) == [0, 1]
    assert numbers(rows_of(layout, labels=("per:title",), min_confidence=0.4, by_margin=True, limit=1)) == [4]
    assert numbers(rows_of(layout, labels=("per:origin",))) == []


def test_an_unknown_label_is_refused_before_anything_is_written(database, job, tmp_path):
    for options in (ExportOptions(layout, selection=Selection(("per:titel",))) for layout in Layout):
        with pytest.raises(InvalidInput, match=r"fake@1 has no label 'per:titel' \(did you mean per:title\?\)"):
            export(database, job, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_each_layout_and_format_is_a_file_of_its_own(database, job, tmp_path):
    """One export replaces nothing of another; labels and errors serve all."""
    options = [ExportOptions(layout, format_) for layout in Layout for format_ in Format]
    before = {}
    for each in options:
        files = export(database, job, tmp_path, each)
        now = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert before.items() <= now.items()
        assert files.predictions.name in now
        before = now
    assert len(before) == 2 * len(options) + 2
    for each in options:  # the same again is no error, and changes nothing
        export(database, job, tmp_path, each)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    names = {f"{job}.review.xlsx", f"{job}.wide.parquet", f"{job}.jsonl", f"{job}.csv", f"{job}.manifest.json"}
    assert names <= set(before)


def test_the_manifest_says_what_the_file_holds(database, job, tmp_path):
    options = ExportOptions(Layout.WIDE, Format.JSONL, Selection(("per:title",), 0.4, by_margin=True, limit=1))
    files = export(database, job, tmp_path, options)
    manifest = json.loads(files.manifest.read_text())
    assert files.manifest.name == f"{job}.wide.jsonl.manifest.json"
    assert (manifest["layout"], manifest["format"], manifest["sort"]) == ("wide", "jsonl", "margin")
    assert manifest["filters"] == {"labels": ["per:title"], "min_confidence": 0.4, "doubtful": 1}
    assert (manifest["rows"]["exported"], manifest["rows"]["done"], files.rows) == (1, 6, 1)
    assert set(manifest["files"]) == {f"{job}.wide.jsonl", f"{job}.labels.json", f"{job}.errors.csv"}


def test_an_export_with_other_filters_replaces_the_earlier_one_unless_it_was_changed(database, job, tmp_path):
    first = export(database, job, tmp_path, ExportOptions(Layout.REVIEW))
    few = ExportOptions(Layout.REVIEW, selection=Selection(limit=1))
    assert export(database, job, tmp_path, few).rows == 1
    assert len(first.predictions.read_text("utf-8").splitlines()) == 2
    first.predictions.write_text("checked by hand", "utf-8")
    with pytest.raises(RelexError, match=rf"{job}\.review\.csv already exists with other content"):
        export(database, job, tmp_path, ExportOptions(Layout.REVIEW))
    assert first.predictions.read_text("utf-8") == "checked by hand"


def test_errors_that_changed_since_another_layout_are_replaced(database, job, tmp_path):
    """The manifest of the default export vouches for the file of errors that a review writes again."""
    errors = export(database, job, tmp_path).errors
    do(database, control.retry_job, job, rows=True)
    shard = claim(database)
    with database.transaction() as tx:
        shards.complete(tx, shard, Outcome([], [RowError(5, "poison", "another reason")]))
        jobs.close_if_ended(tx, job)
    export(database, job, tmp_path, ExportOptions(Layout.REVIEW))
    assert errors.read_text("utf-8") == 'id,code,message\n"=id,5",poison,another reason\n'
    export(database, job, tmp_path)


def test_a_copy_of_a_review_for_spreadsheets_has_no_formula(database, job, tmp_path):
    files = export(database, job, tmp_path, ExportOptions(Layout.REVIEW, excel=True))
    assert [path.name for path in files.spreadsheets] == [f"{job}.review.excel.csv", f"{job}.errors.excel.csv"]
    copy = files.spreadsheets[0].read_bytes()
    assert copy.startswith(b"\xef\xbb\xbfid,")  # one mark, though the review has one too
    assert b'"\'=id,0"' in copy


@pytest.mark.parametrize("layout", list(Layout))
def test_an_unended_job_is_exported_in_part(database, tmp_path, layout):
    """Rows that are not scored yet are left out, of a review too."""
    job = make_job(database, rows=10, shard_rows=4)
    shard = claim(database)
    do(database, shards.complete, shard, Outcome([prediction(example(n)) for n in range(4)]))
    with pytest.raises(JobNotDone):
        export(database, job.id, tmp_path, ExportOptions(layout))
    files = export(database, job.id, tmp_path, ExportOptions(layout, Format.PARQUET, partial=True))
    assert (files.rows, pq.read_table(files.predictions).num_rows) == (4, 4)
    assert json.loads(files.manifest.read_text())["partial"] is True
