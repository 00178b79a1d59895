"""`relex submit --check-inverse`: each row's inverse pair is scored beside it, and nothing else changes."""

import csv
import io
from dataclasses import replace

import pytest

from relex.db import examples, jobs, shards
from relex.domain.examples import CANNOT_BE_SCORED, Prediction, RowError
from relex.domain.jobs import JobState, NewJob
from relex.errors import RelexError
from relex.files.layouts import Layout
from relex.flows.export import ExportOptions, export_to_stream
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.flows.submit import SubmitOptions
from relex.labels import RELATIONS
from tests.factories import FakeScorer, example, register_model, submit_file, without_cells, write_csv
from tests.job_steps import exported, progress, score_all

EMPLOYER, EMPLOYEE = "org:top_members/employees", "per:employee_of"


class Directed(FakeScorer):
    """Knows a label for each direction of a row, and counts the rows that it is asked for in each."""

    def __init__(self, forward=EMPLOYER, backward=EMPLOYEE):
        self.labels = {False: forward, True: backward}
        self.asked = {False: [], True: []}

    def score(self, examples):
        for item in examples:
            swapped = item.subject.start > item.object.start
            self.asked[swapped].append(item.row_no)
            yield [self.result(item, swapped)]

    def result(self, item, swapped):
        label = self.labels[swapped]
        values = tuple(0.5 if name == label else 0.5 / 29 for name in RELATIONS)
        return Prediction(item.row_no, label, values)


class FailsBackward(Directed):
    """Fails where it meets one of `rows` backward: raises an error, or returns a row error if there is none."""

    def __init__(self, rows, error=None):
        super().__init__()
        self.rows, self.error = rows, error

    def result(self, item, swapped):
        if not swapped or item.row_no not in self.rows:
            return super().result(item, swapped)
        if self.error:
            raise self.error
        return RowError(item.row_no, CANNOT_BE_SCORED, "too long")


@pytest.fixture
def queue(database):
    """queue(examples, option=...): a queued job of these examples, which checks inverses unless an option says no."""
    model, count = register_model(database), iter(range(100))

    def queue(items, shard_rows=4, *, check_inverse=True, **options):
        new = NewJob(f"{next(count)}", "a.csv", "0" * 64, model, len(items), 0, check_inverse=check_inverse, **options)
        with database.transaction() as tx:
            job_id = jobs.insert_job(tx, new)
            examples.copy_in(tx, job_id, without_cells(items))
            shards.create_shards(tx, job_id, len(items), shard_rows)
            return jobs.find(tx, job_id)

    return queue


@pytest.fixture
def score(database):
    """score(scorer): score what waits."""

    def score(scorer):
        while score_next(database, Worker("me", lambda *_: scorer, LeaseTerms(60, 60, lambda: False))):
            pass
        return scorer

    return score


@pytest.fixture
def review(database):
    """review(job): the records of its review."""

    def review(job):
        file = io.BytesIO()
        export_to_stream(database, job.id, file, ExportOptions(Layout.REVIEW))
        return list(csv.DictReader(io.StringIO(file.getvalue().decode("utf-8-sig"), newline="")))

    return review


ITEMS = [example(n) for n in range(10)]


def test_each_row_is_scored_in_both_directions_and_its_review_has_both_labels(database, queue, score, review):
    job = queue(ITEMS)
    asked = score(Directed()).asked
    assert sorted(asked[False]) == sorted(asked[True]) == list(range(10))
    ended = progress(database, job)
    assert (ended.state, ended.done, ended.failed, ended.reused) == (JobState.DONE, 10, 0, 0)
    rows = review(job)
    assert {(row["pred_label"], row["inverse_label"], row["flags"]) for row in rows} == {(EMPLOYER, EMPLOYEE, "")}
    assert list(rows[0])[-2:] == ["flags", "inverse_label"]


@pytest.mark.parametrize(
    ("forward", "backward", "flags"),
    [
        ("per:spouse", "no_relation", "contradiction"),
        ("no_relation", "per:spouse", "contradiction"),
        ("per:children", "per:children", "contradiction"),
        ("per:spouse", "per:spouse", ""),
        ("org:founded_by", EMPLOYEE, ""),
        ("org:product", "no_relation", ""),
    ],
)
def test_a_review_flags_contradictions(queue, score, review, forward, backward, flags):
    job = queue(ITEMS[:1])
    score(Directed(forward, backward))
    [row] = review(job)
    assert (row["pred_label"], row["inverse_label"], row["flags"]) == (forward, backward, flags)


def test_predictions_are_those_of_a_job_that_checks_no_inverses(database, queue, score, review):
    checked = queue(ITEMS)
    score(Directed(backward="no_relation"))
    usual = queue(ITEMS, check_inverse=False, fresh=True)
    assert score(Directed()).asked[True] == []
    assert exported(database, checked) == exported(database, usual)
    assert "inverse_label" not in review(usual)[0]
    assert {row["flags"] for row in review(usual)} == {""}


def test_a_pair_whose_object_cannot_be_a_subject_is_left_alone(queue, score, review):
    date = replace(ITEMS[0], object=replace(ITEMS[0].object, type="DAT"))
    job = queue([date])
    assert score(Directed("org:founded")).asked[True] == []
    assert [(row["inverse_label"], row["flags"]) for row in review(job)] == [("", "")]


def test_reused_rows_get_their_inverse_label_and_an_inverse_pair_that_is_known_is_reused(queue, score, review):
    queue(ITEMS, check_inverse=False)
    score(Directed())
    queue([replace(each, subject=each.object, object=each.subject) for each in ITEMS[:4]], check_inverse=False)
    score(Directed())
    job = queue(ITEMS)
    asked = score(Directed()).asked
    assert (asked[False], sorted(asked[True])) == ([], list(range(4, 10)))
    assert {(row["inverse_label"], row["flags"]) for row in review(job)} == {(EMPLOYEE, "reused")}


@pytest.mark.parametrize("error", [None, ValueError("bad"), RelexError("too long")], ids=repr)
@pytest.mark.parametrize(("rows", "shard_rows"), [({3}, 1), ({3}, 4), ({3, 4, 5, 6, 7}, 4)])
def test_an_inverse_pair_that_cannot_be_scored_costs_its_row_nothing(queue, score, review, rows, shard_rows, error):
    job = queue(ITEMS, shard_rows)
    score(FailsBackward(rows, error))
    reviewed = review(job)
    assert [row["pred_label"] for row in reviewed] == [EMPLOYER] * 10
    assert {n for n, row in enumerate(reviewed) if row["inverse_label"] == ""} == rows


def test_a_device_that_breaks_among_the_inverse_pairs_fails_no_row_and_the_shard_is_scored_again(database, queue):
    class Breaking(Directed):
        broken = False

        def result(self, item, swapped):
            self.broken = self.broken or swapped
            if self.broken:
                raise RuntimeError("CUDA error")
            return super().result(item, swapped)

    job = queue(ITEMS[:4])
    assert score_next(database, Worker("me", lambda *_: Breaking(), LeaseTerms(60, 60, lambda: False)))
    ended = progress(database, job)
    assert (ended.done, ended.failed, ended.pending_shards) == (0, 0, 1)
    assert "CUDA error" in ended.reason


def test_a_job_that_checks_inverses_is_other_work_and_is_found_again(database, tmp_path):
    register_model(database)
    write_csv(tmp_path / "a.csv", ITEMS)

    def submitted(**options):
        return submit_file(database, tmp_path / "a.csv", SubmitOptions(**options)).job_id

    usual, checked = submitted(), submitted(check_inverse=True)
    assert len({usual, checked, submitted(exact=True), submitted(exact=True, check_inverse=True)}) == 4
    assert (submitted(), submitted(check_inverse=True)) == (usual, checked)
    with database.transaction() as tx:
        assert [jobs.find(tx, each).check_inverse for each in (usual, checked)] == [False, True]
    score_all(database)  # by a worker of an earlier version, which knows nothing of inverse pairs
    with database.transaction() as tx:
        assert jobs.progress(tx, jobs.find(tx, checked)).state is JobState.DONE
