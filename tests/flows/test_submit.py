"""What makes two submits the same work, and what a job says its workers."""

from datetime import timedelta

import pytest

from relex.db import deletion, jobs, shards
from relex.domain.jobs import JobState, MaxFailed
from relex.flows import control
from relex.flows.submit import SubmitOptions
from tests.factories import example, register_model, submit_file, write_csv


@pytest.fixture
def submitted(database, tmp_path):
    """Submit a small file with some options: `submitted(exact=True)`."""
    register_model(database)
    path = tmp_path / "a.csv"
    write_csv(path, [example(n) for n in range(3)])

    def with_options(**options):
        return submit_file(database, path, SubmitOptions(**options))

    return with_options


def test_an_exact_job_is_other_work(submitted):
    usual, exact = submitted(), submitted(exact=True)
    assert exact.job_id != usual.job_id
    assert submitted().job_id == usual.job_id
    assert submitted(exact=True).job_id == exact.job_id


def test_a_fresh_job_is_a_new_one_each_time_and_never_found(submitted):
    usual, fresh = submitted(), submitted(fresh=True)
    assert len({usual.job_id, fresh.job_id, submitted(fresh=True).job_id}) == 3
    assert submitted().job_id == usual.job_id


def test_a_job_is_queued_with_its_priority_and_its_error_budget(database, submitted):
    job_id = submitted(priority=7, max_failed=MaxFailed.parse("50%")).job_id
    with database.transaction() as tx:
        job = jobs.find(tx, job_id)
    assert (job.priority, job.max_failed) == (7, 1)


def test_a_paused_job_is_found_again_and_a_cancelled_one_makes_place_for_a_new_one(database, submitted):
    first = submitted().job_id
    with database.transaction() as tx:
        control.pause_job(tx, first)
    assert (submitted().job_id, submitted().existing_state) == (first, JobState.PAUSED)
    with database.transaction() as tx:
        control.cancel_job(tx, first)
    assert submitted().job_id != first


def test_a_submit_that_finds_a_job_while_it_is_purged_makes_a_new_one(database, submitted, monkeypatch):
    first, real = submitted().job_id, jobs.insert_job
    with database.transaction() as tx:
        ended = control.cancel_job(tx, first).job

    def purged_after_it_was_found(tx, new):
        made = real(tx, new)
        with database.transaction() as other:
            deletion.mark(other, ended, timedelta(0))
        return made

    monkeypatch.setattr(jobs, "insert_job", purged_after_it_was_found)
    again = submitted()
    assert again.existing_state is None
    with database.transaction() as tx:
        assert [job.id for job in jobs.newest(tx, 9)] == [again.job_id]


@pytest.mark.parametrize("wish", ["exact", "fresh"])
def test_a_claim_says_what_the_job_asked_for(database, submitted, wish):
    job_id = submitted(**{wish: True}).job_id
    with database.transaction() as tx:
        shard = shards.claim(tx, "worker", 60)
        job = jobs.find(tx, job_id)
    for report in (job, shard):
        assert {"exact": report.exact, "fresh": report.fresh} == {"exact": False, "fresh": False} | {wish: True}
