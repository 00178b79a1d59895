"""A paused job is left alone, a job of a higher priority comes first, and a small one does not starve."""

import pytest

from relex.db import shards
from relex.domain.jobs import JobState
from relex.flows import control
from relex.flows.sweep import sweep
from tests.factories import make_job
from tests.job_steps import claim, complete, do, progress, score_all

ROWS, SHARD_ROWS = 10, 4


def test_a_paused_job_is_not_claimed_but_what_is_held_is_finished(database):
    job = make_job(database, ROWS, SHARD_ROWS)
    held = claim(database)
    report = do(database, control.pause_job, job.id)
    assert (report.state, report.running_shards, report.since) == (JobState.PAUSED, 1, report.job.paused_at)
    assert claim(database) is None
    assert sweep(database).shards == 0
    complete(database, held)
    assert progress(database, job).done == 4
    do(database, control.resume_job, job.id)
    score_all(database)
    assert progress(database, job).state is JobState.DONE


def test_a_pause_between_the_two_questions_of_a_claim_is_heard(database):
    job = make_job(database, rows=4)
    do(database, control.pause_job, job.id)
    asked = {"job_id": job.id, "worker": "worker", "lease_seconds": 60}
    with database.transaction() as tx:
        assert tx.execute(shards.CLAIM, asked).one_or_none() is None


def test_a_paused_job_whose_last_shard_is_finished_ends(database):
    job = make_job(database, rows=4)
    held = claim(database)
    do(database, control.pause_job, job.id)
    complete(database, held)
    assert progress(database, job).state is JobState.DONE


def test_a_higher_priority_comes_first_and_can_be_given_later(database):
    usual = make_job(database, rows=8, key="usual")
    urgent = make_job(database, rows=8, key="urgent")
    assert claim(database).job_id == usual.id
    do(database, control.prioritize_job, urgent.id, 1)
    assert [claim(database).job_id for _ in range(3)] == [urgent.id, urgent.id, usual.id]


@pytest.mark.parametrize("workers", [1, 4])
def test_a_small_job_behind_a_large_one_waits_for_a_few_shards_only(database, workers):
    large = make_job(database, rows=2, key="large")
    with database.transaction() as tx:  # 200,000 rows; nobody reads them here
        tx.exec_driver_sql("DELETE FROM shards")
        tx.exec_driver_sql("UPDATE jobs SET total = 200000")
        shards.create_shards(tx, large.id, 200_000, 512)
    held = [claim(database) for _ in range(workers)]
    assert {shard.job_id for shard in held} == {large.id}
    small = make_job(database, rows=100, shard_rows=20, key="small")
    of_large = 0
    while not progress(database, small).state.ended:
        shard = claim(database)
        if shard.job_id == small.id:
            complete(database, shard)
        else:
            of_large += 1
    assert of_large <= 5  # one for each of the small job's own
