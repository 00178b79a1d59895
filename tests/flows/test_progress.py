"""Speed, time left, time worked and who is at work: what a status may say, and when it must say nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from relex.db import jobs, shards
from relex.domain.examples import Outcome
from relex.flows import control
from tests.factories import example, make_job, prediction
from tests.job_steps import do

ROWS, SHARD_ROWS, LEASE_SECONDS = 10, 2, 30.0
LONG_AGO = 152_000
"""Shards here take minutes, so that it does not matter how long a test does."""


class Clock:
    """The moment at which a test begins: the module may have been read long before."""

    now: datetime


@pytest.fixture
def job(database):
    Clock.now = datetime.now(UTC)
    return make_job(database, ROWS, SHARD_ROWS)


def claim(database, worker="a"):
    return do(database, shards.claim, worker, LEASE_SECONDS)


def score(database, began, ended):
    """Score the next shard as if from and to so many seconds ago."""
    shard = claim(database)
    rows = range(shard.first_row, shard.end_row)
    do(database, shards.complete, shard, Outcome([prediction(example(n)) for n in rows], []))
    happened(database, shard, began, ended)


def happened(database, shard, began, ended):
    with database.transaction() as tx:
        tx.exec_driver_sql(
            "UPDATE shards SET started_at = %s, finished_at = %s WHERE job_id = %s AND first_row = %s",
            (_ago(began), _ago(ended), shard.job_id, shard.first_row),
        )


def _ago(seconds):
    return None if seconds is None else Clock.now - timedelta(seconds=seconds)


def progress(database, job, lease_seconds=LEASE_SECONDS):
    with database.transaction() as tx:
        return jobs.progress(tx, jobs.find(tx, job.id), lease_seconds)


def test_speed_and_time_left_are_those_of_the_work_since_it_last_began(database, job):
    score(database, LONG_AGO, LONG_AGO - 1000)  # before a pause, a retry or a night without a worker
    score(database, 800, 400)
    score(database, 400, 0)
    claim(database)
    found = progress(database, job)
    assert found.rows_per_second == pytest.approx(4 / 800)
    assert found.seconds_left == pytest.approx(4 / (4 / 800))
    assert found.seconds == pytest.approx(1000 + 800)


def test_nothing_is_said_before_a_shard_is_finished_since_the_work_began_again(database, job):
    score(database, LONG_AGO, LONG_AGO - 1000)
    assert (progress(database, job).rows_per_second, progress(database, job).seconds_left) == (None, None)
    claim(database)
    assert (progress(database, job).rows_per_second, progress(database, job).seconds_left) == (None, None)


def test_a_job_that_takes_turns_with_another_is_not_faster_for_it(database, job):
    score(database, 1000, 800)
    score(database, 600, 400)  # in between the other's shard
    score(database, 200, 0)
    assert progress(database, job).rows_per_second == pytest.approx(6 / 1000)


def test_a_shard_that_was_given_back_does_not_count_the_time_until_it_was_taken_again(database, job):
    first = claim(database)
    happened(database, first, LONG_AGO, None)
    do(database, shards.release, first, "worker stopped")
    for step in range(4):
        score(database, 500 - 100 * step, 400 - 100 * step)
    last = claim(database)
    assert last.first_row == first.first_row
    found = progress(database, job)
    assert (found.done, found.seconds) == (8, pytest.approx(400, abs=120))
    assert found.rows_per_second == pytest.approx(8 / 400)


def test_a_paused_job_has_no_time_left(database, job):
    score(database, 400, 0)
    claim(database)
    assert progress(database, job).seconds_left
    do(database, control.pause_job, job.id)
    found = progress(database, job)
    assert (found.rows_per_second, found.seconds_left) == (None, None)


def test_rows_that_nobody_will_score_are_not_waited_for(database, job):
    score(database, 400, 0)
    do(database, shards.fail, claim(database), "broken")
    claim(database)
    found = progress(database, job)
    assert found.seconds_left == pytest.approx(found.open / found.rows_per_second)
    assert found.open == ROWS - 4


def test_an_ended_job_says_the_speed_of_its_last_segment_and_the_time_that_was_worked(database, job):
    for step in range(4):
        score(database, LONG_AGO - 100 * step, LONG_AGO - 100 * step - 100)
    score(database, 200, 0)
    do(database, jobs.close_if_ended, job.id)
    found = progress(database, job)
    assert (found.rows_per_second, found.seconds_left) == (pytest.approx(2 / 200), None)
    assert found.seconds == pytest.approx(400 + 200)


@pytest.mark.parametrize(("lease_left", "counts"), [(30, (1, 0)), (21, (1, 0)), (14, (0, 1)), (-5, (0, 1))], ids=str)
def test_a_worker_that_does_not_renew_its_lease_is_stalled_before_it_runs_out(database, job, lease_left, counts):
    shard = claim(database)
    with database.transaction() as tx:
        tx.exec_driver_sql(
            "UPDATE shards SET lease_until = now() + make_interval(secs => %s) WHERE first_row = %s",
            (lease_left, shard.first_row),
        )
    found = progress(database, job)
    assert (found.workers, found.stalled_workers) == counts
    if lease_left > 0:  # who does not know how long leases are goes by their end
        assert progress(database, job, 0).workers == 1
