"""Exports that say which rows are accepted at a promised error, on a real Postgres."""

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from relex.domain.acceptance import parse_max_error
from relex.domain.mix import type_pair_and_source
from relex.errors import InvalidInput, RelexError
from relex.evaluation.acceptance import promise
from relex.files.atomic import digest_of
from relex.files.layouts import Format, Layout
from relex.flows.export import ExportOptions, export, export_to_stream
from tests.reviewed import UNSCORED, calibrated_version, finished_job, typed_example

ERROR = 0.2
REVIEW = ExportOptions(Layout.REVIEW, max_error=ERROR)


def read_csv(path):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def manifest(exported):
    return json.loads(exported.manifest.read_text("utf-8"))


def dates_only(row_no, label):
    """Rows of a type pair that a tenth of the validation rows have."""
    return typed_example(10 * row_no, label)


def above(values, threshold):
    """The rows that are accepted."""
    return [n for n in range(len(values)) if n != UNSCORED and values[n].max() >= np.float32(threshold)]


def test_a_review_says_which_rows_are_accepted(database, tmp_path):
    calibration = calibrated_version(database)
    job, _, values = finished_job(database)
    exported = export(database, job, tmp_path, REVIEW)
    expected = promise(calibration.validation, ERROR)
    accepted = above(values, expected.threshold)
    assert 5 < len(accepted) < 80
    rows = read_csv(exported.predictions)
    assert list(rows[0])[-2:] == ["flags", "accepted"]
    assert [n for n, row in enumerate(rows) if row["accepted"] == "true"] == accepted
    assert {row["accepted"] for row in rows} == {"true", "false"}
    assert rows[UNSCORED]["accepted"] == "false"
    said = manifest(exported)["acceptance"]
    assert said == {
        "promise": {
            "max_error": ERROR,
            "threshold": expected.threshold,
            "bound": expected.bound,
            "coverage": expected.coverage,
            "effective_rows": expected.effective_rows,
            "weighted": False,
            "confidence": 0.95,
        },
        "rows": 89,
        "accepted": len(accepted),
        "share": 100 * len(accepted) / 89,
        "drift": "none",
        "validation_rows": 2000,
        "validation_sha256": "f" * 64,
        "out_of_fold": False,
        "rest": None,
    }


def test_accepted_rows_and_the_rest_are_all_rows(database, tmp_path):
    calibrated_version(database)
    job, items, _ = finished_job(database)
    options = ExportOptions(max_error=ERROR, accepted_only=True, rest=tmp_path / "by hand.csv")
    exported = export(database, job, tmp_path / "out", options)
    accepted, rest = read_csv(exported.predictions), read_csv(tmp_path / "by hand.csv")
    assert list(accepted[0]) == ["id", "pred_label", "probs"]
    assert sorted(row["id"] for row in [*accepted, *rest]) == sorted(item.id for item in items)
    assert (exported.rows, exported.rest) == (len(accepted), len(rest)) == (exported.acceptance.accepted, len(rest))
    assert {row["accepted"] for row in rest} == {"false"}
    assert items[UNSCORED].id in {row["id"] for row in rest}
    said = manifest(exported)
    digest = digest_of(tmp_path / "by hand.csv")
    assert said["acceptance"]["rest"] == {"file": "by hand.csv", "rows": len(rest), "sha256": digest}
    assert said["rows"]["exported"] == len(accepted)
    export(database, job, tmp_path / "out", options)  # the same again changes nothing


def test_every_format_has_truth_values(database, tmp_path):
    calibrated_version(database)
    job, *_ = finished_job(database)
    accepted = {}
    for format_ in Format:
        file = io.BytesIO()
        export_to_stream(database, job, file, replace(REVIEW, format=format_))
        file.seek(0)
        if format_ is Format.PARQUET:
            column = pq.read_table(file).column("accepted").to_pylist()
        elif format_ is Format.JSONL:
            column = [json.loads(line)["accepted"] for line in file]
        else:
            read = pd.read_csv if format_ is Format.CSV else partial(pd.read_excel, engine="calamine")
            column = read(file, dtype={"accepted": str})["accepted"].eq("true").tolist()
        accepted[format_] = column
    assert len({tuple(column) for column in accepted.values()}) == 1
    assert set(accepted[Format.PARQUET]) == set(accepted[Format.JSONL]) == {True, False}


def test_validation_rows_are_weighted_to_a_job_that_has_drifted(database, tmp_path):
    calibration = calibrated_version(database)
    job, items, _ = finished_job(database, typed=dates_only)
    exported = export(database, job, tmp_path, replace(REVIEW, max_error=0.4))
    mix = Counter(type_pair_and_source(item) for item in items if item.row_no != UNSCORED)
    assert exported.acceptance.promise == promise(calibration.validation, 0.4, mix)
    assert exported.acceptance.promise.weighted
    assert exported.acceptance.promise.effective_rows <= 200
    assert manifest(exported)["acceptance"]["drift"] == "large"


def without_source(row_no, label):
    return replace(dates_only(row_no, label), source=None)


def test_a_file_without_sources_is_weighted_by_type_pair(database, tmp_path):
    calibration = calibrated_version(database)
    job, *_ = finished_job(database, typed=without_source)
    exported = export(database, job, tmp_path, replace(REVIEW, max_error=0.4))
    assert exported.acceptance.promise == promise(calibration.validation, 0.4, Counter({"ORG-DAT relex": 89}))


def other_source(row_no, label):
    """Rows of a source that no validation row has."""
    return replace(dates_only(row_no, label), source="nowhere")


@pytest.mark.parametrize(
    ("rows", "typed", "error", "reason"),
    [
        (0, typed_example, 0.1, "fake@1 has no calibration; `relex models calibrate fake@1 --on FILE`"),
        (600, dates_only, 0.1, "effective sample size of 60, and a promise needs 100"),
        (2000, typed_example, 0.0001, "no threshold keeps the error below 0%"),
        (2000, other_source, 0.1, "no validation row has a type pair and source of this job"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused_with_its_reason(database, tmp_path, rows, typed, error, reason):
    if rows:
        calibrated_version(database, rows)
    job, *_ = finished_job(database, typed=typed)
    options = ExportOptions(Layout.REVIEW, max_error=error, rest=tmp_path / "rest.csv")
    with pytest.raises(RelexError) as caught:
        export(database, job, tmp_path / "out", options)
    assert reason in str(caught.value)
    assert not isinstance(caught.value, InvalidInput), "a refusal exits with 1"
    assert "\n" not in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_rest_never_replaces_another_file_and_then_nothing_is_exported(database, tmp_path):
    calibrated_version(database)
    job, *_ = finished_job(database)
    (tmp_path / "rest.csv").write_text("mine", "utf-8")
    options = replace(REVIEW, accepted_only=True, rest=tmp_path / "rest.csv")
    with pytest.raises(RelexError, match="already exists with other content"):
        export(database, job, tmp_path / "out", options)
    assert (tmp_path / "rest.csv").read_text("utf-8") == "mine"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("2.5%", 0.025), ("0.1", 0.1), (".05", 0.05)])
def test_an_error_is_a_percentage_or_a_share(text, share):
    assert parse_max_error(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["10", "100%", "0%", "0", "1", "-5%", "ten", "", "1e-2", "５%", "nan"])
def test_anything_else_is_refused(text):
    with pytest.raises(InvalidInput, match="as in `--max-error 10%`"):
        parse_max_error(text)
