"""What is said about how far a job may be believed: counted by Postgres, recorded once, and whole or not at all."""

import io
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

from relex.db import examples, jobs, model_versions, quality, shards
from relex.domain.calibration import expected_quality
from relex.domain.drift import Level
from relex.domain.examples import Outcome, Prediction
from relex.domain.jobs import NewJob
from relex.domain.mix import OTHER_SOURCES
from relex.domain.results import Selection
from relex.errors import InvalidInput
from relex.evaluation.calibration import MAX_SOURCES, fit_calibration, profile, scored_rows
from relex.files.layouts import Layout
from relex.flows import control
from relex.flows.export import ExportOptions, export_to_stream
from relex.flows.lease import LeaseTerms
from relex.flows.quality import assess, measure
from relex.flows.score import Worker, score_next
from relex.flows.status import job_status
from relex.flows.submit import SubmitOptions
from relex.labels import RELATIONS
from relex.lazy import load_two_sample_test
from tests.evaluation.test_calibration import drawn
from tests.factories import FakeScorer, make_job, submit_file, without_cells, write_csv
from tests.job_steps import score_all

ROWS = 400


@pytest.fixture
def fitted():
    """Rows, their probabilities as Postgres keeps them, and a calibration on other rows of their kind."""
    rows, probabilities = drawn(ROWS, seed=1, truth=lambda p: p**2)
    other, theirs = drawn(2000, seed=2, truth=lambda p: p**2)
    return rows, probabilities.astype(np.float32), fit_calibration(other, theirs, RELATIONS, other[:100], "0" * 64)


@pytest.fixture
def version(database, fitted):
    """The current model version, which is calibrated."""
    with database.transaction() as tx:
        version = model_versions.register(tx, "fake", RELATIONS, {"config.json": "fake"}, calibration=fitted[2])
        model_versions.promote(tx, version)
    return str(version)


@pytest.fixture
def job(database, fitted, version):
    """A finished job of the rows with their probabilities."""
    rows, probabilities, _ = fitted
    labels = [RELATIONS[best] for best in probabilities.argmax(axis=1)]
    made = [Prediction(n, label, tuple(map(float, probabilities[n]))) for n, label in enumerate(labels)]
    with database.transaction() as tx:
        job_id = jobs.insert_job(tx, NewJob("key", "a.csv", "0" * 64, version, ROWS, 0))
        examples.copy_in(tx, job_id, without_cells(rows))
        shards.create_shards(tx, job_id, ROWS, 512)
        shards.complete(tx, shards.claim(tx, "worker", 60), Outcome(made, []))
        jobs.close_if_ended(tx, job_id)
    return job_id


def recorded(database):
    with database.transaction() as tx:
        return tx.execute(text("SELECT expected IS NOT NULL, drift IS NOT NULL FROM jobs")).one()


def test_postgres_counts_as_numpy_does(database, fitted, job):
    rows, probabilities, calibration = fitted
    with database.transaction() as tx:
        scored, predicted = quality.count_scored(tx, job, RELATIONS, calibration)
        mix = quality.count_mix(tx, job, calibration)
    expected = scored_rows(calibration, probabilities.astype(float), RELATIONS)
    for name in ("confidence", "relation", "no_relation"):
        counted, right = getattr(scored, name), getattr(expected, name)
        assert [bucket.rows for bucket in counted] == [bucket.rows for bucket in right]
        assert [bucket.total for bucket in counted] == pytest.approx([bucket.total for bucket in right])
    assert (scored.rows, scored.relations) == (expected.rows, expected.relations)
    assert predicted == {
        RELATIONS[n]: count for n, count in enumerate(np.bincount(probabilities.argmax(axis=1))) if count
    }
    here = profile(rows)
    assert (mix.type_pairs, mix.sources, mix.lengths) == (here.type_pairs, here.sources, here.lengths)


def test_a_job_that_is_done_has_an_estimate_beside_the_validation_scores(database, fitted, job):
    _, probabilities, calibration = fitted
    progress = job_status(database, job)
    expected = progress.job.expected
    right = expected_quality(calibration, scored_rows(calibration, probabilities.astype(float), RELATIONS))
    assert expected.micro_f1.value == pytest.approx(right.micro_f1.value, abs=0.01)
    assert expected.accuracy.low < expected.accuracy.value < expected.accuracy.high
    assert expected.validation.micro_f1 == pytest.approx(calibration.micro_f1, abs=0.01)
    assert expected.fall < 5
    assert progress.job.drift.psi_predicted is not None
    assert job_status(database, job[:4]).job.expected == expected


def test_a_status_that_meets_the_worker_s_assessment_shows_it(database, job, monkeypatch):
    def beaten(*arguments):
        assess(*arguments)
        return assess(*arguments)  # False: somebody else was first

    monkeypatch.setattr("relex.flows.status.assess", beaten)
    assert job_status(database, job).job.expected


def test_it_is_recorded_once_and_the_two_sample_test_is_added_where_it_can_be(database, job):
    assert assess(database, job)
    assert not assess(database, job)
    assert assess(database, job, load_two_sample_test)
    assert not assess(database, job, load_two_sample_test)
    assert job_status(database, job).job.drift.auc == pytest.approx(0.5, abs=0.1)


def test_nothing_is_claimed_without_a_calibration(database):
    job = make_job(database)
    score_all(database)
    assert not assess(database, job.id, load_two_sample_test)
    progress = job_status(database, job.id)
    assert (progress.job.expected, progress.job.drift) == (None, None)


def test_a_job_that_is_open_or_failed_has_no_estimate(database, version):
    job = make_job(database)
    assert not assess(database, job.id)
    control.cancel(database, job.id)
    assert not assess(database, job.id)
    assert job_status(database, job.id).job.expected is None


def test_a_retried_job_loses_its_estimate_until_it_is_done_again(database, version):
    job = make_job(database)
    score_all(database, wrong={3})
    assert job_status(database, job.id).job.expected
    control.retry(database, job.id, rows=True)
    assert job_status(database, job.id).job.expected is None
    score_all(database)
    assert job_status(database, job.id).job.expected


def test_an_estimate_without_the_two_sample_test_does_not_replace_one_with_it(database, job):
    with database.transaction() as tx:
        earlier = jobs.find(tx, job)
    assert assess(database, job, load_two_sample_test)
    full = job_status(database, job).job
    with database.transaction() as tx:
        quality.record_assessment(tx, earlier, full.expected, replace(full.drift, auc=None))
    assert job_status(database, job).job == full


def test_a_small_job_is_not_assessed_again_for_a_test_that_it_is_too_small_for(database, version):
    job = make_job(database)
    score_all(database)
    assert assess(database, job.id, load_two_sample_test)
    assert not assess(database, job.id, load_two_sample_test)
    assert job_status(database, job.id).job.drift.auc is None


def test_a_source_of_its_own_in_every_row_takes_no_memory(database, version, fitted, tmp_path):
    _, _, calibration = fitted
    rows = [replace(row, source=f"https://example.org/{row.row_no}") for row in drawn(ROWS, seed=3)[0]]
    write_csv(tmp_path / "a.csv", rows)
    submission = submit_file(database, tmp_path / "a.csv")
    with database.transaction() as tx:
        tx.execute(text("UPDATE examples SET source = id"))
        mix = quality.count_mix(tx, submission.job_id, calibration)
    assert mix.sources == {OTHER_SOURCES: ROWS}
    assert len(profile(rows).sources) == MAX_SOURCES + 1
    assert sum(profile(rows).sources.values()) == ROWS


def test_a_command_that_dies_in_between_leaves_nothing_half(database, job):
    def dies():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assess(database, job, dies)
    assert recorded(database) == (False, False)
    assert job_status(database, job).job.expected


def test_an_estimate_of_a_job_that_was_queued_again_meanwhile_is_dropped(database, job):
    def retries():
        with database.transaction() as tx:
            tx.execute(text("UPDATE jobs SET finished_at = NULL"))
        return lambda *_: 0.5

    assess(database, job, retries)
    assert recorded(database) == (False, False)


def test_drift_is_measured_as_a_file_is_submitted(database, version, tmp_path):
    rows, _ = drawn(ROWS, seed=3)
    moved = [replace(row, subject=replace(row.subject, type="LOC"), source=None) for row in rows]
    write_csv(tmp_path / "same.csv", rows)
    write_csv(tmp_path / "moved.csv", moved)
    assert submit_file(database, tmp_path / "same.csv").drift.level is Level.NONE
    drift = submit_file(database, tmp_path / "moved.csv").drift
    assert (drift.level, drift.unknown_types) == (Level.LARGE, 100.0)
    assert {cell.name for cell in drift.worst} == {"LOC-PER", "ORG-PER"}
    assert submit_file(database, tmp_path / "moved.csv").drift == drift  # the job that exists


def test_an_earlier_job_is_measured_when_it_is_submitted_again(database, version, tmp_path):
    write_csv(tmp_path / "a.csv", drawn(ROWS, seed=3)[0])
    first = submit_file(database, tmp_path / "a.csv")
    with database.transaction() as tx:
        tx.execute(text("UPDATE jobs SET drift = NULL"))
    assert submit_file(database, tmp_path / "a.csv").drift == first.drift
    with database.transaction() as tx:
        assert measure(tx, first.job_id, "no@1") is None


def test_a_version_that_must_be_calibrated_and_is_not_is_refused_before_anything_is_queued(database, tmp_path):
    make_job(database)
    write_csv(tmp_path / "a.csv", drawn(10)[0])
    with pytest.raises(InvalidInput, match=r"fake@1 is not calibrated.*`relex models calibrate fake@1 --on FILE`"):
        submit_file(database, tmp_path / "a.csv", SubmitOptions(needs_calibration=True))
    with database.transaction() as tx:
        assert len(jobs.newest(tx, 9)) == 1


def lines_of(database, job, layout, **selection):
    file = io.BytesIO()
    export_to_stream(database, job, file, ExportOptions(layout, selection=Selection(**selection)))
    return file.getvalue().decode("utf-8-sig").splitlines()


def test_the_confidence_is_calibrated_and_the_probabilities_are_not_touched(database, fitted, job):
    _, probabilities, calibration = fitted
    review = [line.split(",") for line in lines_of(database, job, Layout.REVIEW)]
    column = review[0].index("confidence")
    expected = [calibration.confidence(float(row.max())) for row in probabilities]
    assert [float(line[-(len(review[0]) - column)]) for line in review[1:]] == pytest.approx(expected, abs=1e-5)
    plain = lines_of(database, job, Layout.SUBMISSION)
    with database.transaction() as tx:
        tx.execute(text("UPDATE model_versions SET calibration = NULL"))
    assert lines_of(database, job, Layout.SUBMISSION) == plain


@pytest.mark.parametrize("layout", Layout)
def test_a_minimum_confidence_is_one_of_the_calibrated_confidence(database, fitted, job, layout):
    _, probabilities, calibration = fitted
    kept = sum(calibration.confidence(float(row.max())) >= 0.6 for row in probabilities)
    assert 0 < kept < (probabilities.max(axis=1) >= 0.6).sum()
    header = 1 if layout is not Layout.SUBMISSION else len(lines_of(database, job, layout)) - ROWS
    assert len(lines_of(database, job, layout, min_confidence=0.6)) - header == kept


def test_a_worker_assesses_the_job_that_it_ends(database, version):
    make_job(database, rows=8, shard_rows=4)
    worker = Worker("one", lambda *_: FakeScorer(), LeaseTerms(60, 600, lambda: False))
    assert score_next(database, worker)
    assert recorded(database) == (False, False)
    assert score_next(database, worker)
    assert recorded(database) == (True, True)


def test_more_rows_than_a_statement_has_parameters_are_found(database, job):
    with database.transaction() as tx:
        assert len(examples.of_rows(tx, job, range(70_000))) == ROWS
