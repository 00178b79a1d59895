"""A job ends early as soon as more of its rows failed than it allows."""

import pytest

from relex.domain.jobs import JobState, MaxFailed
from relex.errors import LeaseLost, RelexError
from relex.flows import control
from relex.flows.sweep import sweep
from tests.factories import make_job
from tests.job_steps import assert_books_balance, claim, complete, do, progress, score_all

ROWS, SHARD_ROWS = 10, 4


def test_more_errors_than_allowed_end_a_job_early_and_in_words(database):
    job = make_job(database, rows=40, shard_rows=4)
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET max_failed = 2")
    complete(database, claim(database), wrong={1, 2})
    assert progress(database, job).state is JobState.RUNNING
    held = claim(database)
    complete(database, claim(database), wrong={8})
    ended = progress(database, job)
    assert (ended.state, ended.done, ended.failed, ended.unscored) == (JobState.FAILED, 8, 3, 32)
    assert ended.reason == "3 rows could not be scored, and --max-failed allows 2"
    with pytest.raises(LeaseLost):
        complete(database, held)
    assert_books_balance(database)


@pytest.mark.parametrize(("most", "state"), [(2, JobState.DONE), (1, JobState.FAILED), (0, JobState.FAILED)])
def test_a_budget_holds_for_the_last_shard_too(database, most, state):
    job = make_job(database, rows=4)
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET max_failed = %s", (most,))
    complete(database, claim(database), wrong={1, 2})
    assert progress(database, job).state is state


def test_the_sweep_too_ends_a_job_whose_budget_is_spent(database):
    job = make_job(database, rows=4, shard_rows=1)
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET max_failed = 0")
        tx.exec_driver_sql("UPDATE shards SET crashes = 2 WHERE first_row = 1")
    sweep(database)
    ended = progress(database, job)
    assert (ended.state, ended.failed, ended.unscored) == (JobState.FAILED, 1, 3)


def test_a_job_whose_budget_is_spent_continues_with_another_one_or_with_its_rows(database):
    job = make_job(database, ROWS, SHARD_ROWS)
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET max_failed = 0")
    complete(database, claim(database), wrong={1, 2})
    with pytest.raises(
        RelexError, match="--max-failed allows 0; `--rows` retries those, too, `--max-failed 2` allows them"
    ):
        do(database, control.retry_job, job.id, rows=False)
    with pytest.raises(RelexError, match="--max-failed allows 1"):
        do(database, control.retry_job, job.id, rows=False, budget=MaxFailed.parse("10%"))
    again = do(database, control.retry_job, job.id, rows=False, budget=MaxFailed.parse("20%"))
    assert (again.state, again.failed, again.job.max_failed, again.job.error) == (JobState.RUNNING, 2, 2, None)
    complete(database, claim(database), wrong={4})
    assert progress(database, job).state is JobState.FAILED
    again = do(database, control.retry_job, job.id, rows=True)
    assert (again.failed, again.open) == (0, 5)
    score_all(database)
    assert progress(database, job).state is JobState.DONE


def test_a_larger_budget_alone_makes_a_wholly_scored_job_done(database):
    job = make_job(database, rows=4)
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET max_failed = 0")
    score_all(database, wrong={1})
    assert progress(database, job).state is JobState.FAILED
    assert do(database, control.retry_job, job.id, rows=False, budget=MaxFailed.parse("1")).state is JobState.DONE
