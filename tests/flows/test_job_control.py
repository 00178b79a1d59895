"""Cancel, retry, pause, resume, priority: what each does in every state of a job, and what stays as it was."""

import pytest

from relex.db import jobs, results, shards
from relex.domain.examples import Outcome
from relex.domain.jobs import JobState
from relex.errors import JobNotFound, LeaseLost, RelexError
from relex.flows import control
from relex.flows.sweep import sweep
from tests.factories import example, make_job, prediction
from tests.job_steps import assert_books_balance, claim, complete, do, exported, progress, score_all, written

ROWS, SHARD_ROWS = 10, 4


def test_what_an_old_claim_writes_after_a_retry_is_refused(database):
    """All rows of a shard failed, so what waits again has the same bounds; only its token is another."""
    job = make_job(database, rows=4)
    old = claim(database)
    complete(database, old, wrong=range(4))
    do(database, control.retry_job, job.id, rows=True)
    with pytest.raises(LeaseLost):
        complete(database, old, wrong=range(4))
    assert progress(database, job).failed == 0
    do(database, shards.fail, claim(database), "broken")
    do(database, jobs.close_if_ended, job.id)
    failed = do(database, jobs.find, job.id)
    do(database, control.retry_job, failed.id, rows=False)
    with pytest.raises(LeaseLost):
        complete(database, old)


def queued(_database, _job):
    pass


def running(database, _job):
    complete(database, claim(database))
    claim(database)


def paused(database, job):
    running(database, job)
    do(database, control.pause_job, job.id)


def done(database, _job):
    score_all(database)


def done_with_errors(database, _job):
    score_all(database, wrong={1, 5})


def failed(database, job):
    complete(database, claim(database))
    while shard := claim(database):
        do(database, shards.fail, shard, "broken")
    do(database, jobs.close_if_ended, job.id)


def cancelled(database, job):
    running(database, job)
    do(database, control.cancel_job, job.id)


COMMANDS = {
    "cancel": control.cancel_job,
    "retry": lambda tx, job_id: control.retry_job(tx, job_id, rows=False),
    "retry --rows": lambda tx, job_id: control.retry_job(tx, job_id, rows=True),
    "pause": control.pause_job,
    "resume": control.resume_job,
    "priority": lambda tx, job_id: control.prioritize_job(tx, job_id, 7),
}


UNENDED = "only a job that has ended can be tried again"


NOT_PAUSED = "only a paused job can be resumed"


SAID = {
    (queued, "cancel"): JobState.CANCELLED,
    (queued, "retry"): UNENDED,
    (queued, "retry --rows"): UNENDED,
    (queued, "pause"): JobState.PAUSED,
    (queued, "resume"): NOT_PAUSED,
    (queued, "priority"): JobState.QUEUED,
    (running, "cancel"): JobState.CANCELLED,
    (running, "retry"): UNENDED,
    (running, "retry --rows"): UNENDED,
    (running, "pause"): JobState.PAUSED,
    (running, "resume"): NOT_PAUSED,
    (running, "priority"): JobState.RUNNING,
    (paused, "cancel"): JobState.CANCELLED,
    (paused, "retry"): UNENDED,
    (paused, "retry --rows"): UNENDED,
    (paused, "pause"): "paused already; `relex resume j-.*` resumes it",
    (paused, "resume"): JobState.RUNNING,
    (paused, "priority"): JobState.PAUSED,
    (done, "cancel"): "is done already: there is nothing to cancel",
    (done, "retry"): "every row has a prediction: there is nothing to try again",
    (done, "retry --rows"): "every row has a prediction: there is nothing to try again",
    (done, "pause"): "is done already: there is nothing to pause",
    (done, "resume"): NOT_PAUSED + "$",
    (done, "priority"): "is done already: its priority changes nothing",
    (done_with_errors, "cancel"): "is done already",
    (done_with_errors, "retry"): "every shard is done; 2 rows could not be scored; `--rows` retries those, too",
    (done_with_errors, "retry --rows"): JobState.RUNNING,
    (done_with_errors, "pause"): "is done already",
    (done_with_errors, "resume"): NOT_PAUSED,
    (done_with_errors, "priority"): "is done already",
    (failed, "cancel"): "is failed already",
    (failed, "retry"): JobState.RUNNING,
    (failed, "retry --rows"): JobState.RUNNING,
    (failed, "pause"): "is failed already",
    (failed, "resume"): NOT_PAUSED + "; `relex retry j-.*` retries what is unscored",
    (failed, "priority"): "is failed already",
    (cancelled, "cancel"): "is cancelled already",
    (cancelled, "retry"): JobState.RUNNING,
    (cancelled, "retry --rows"): JobState.RUNNING,
    (cancelled, "pause"): "is cancelled already",
    (cancelled, "resume"): NOT_PAUSED + "; `relex retry j-.*` retries what is unscored",
    (cancelled, "priority"): "is cancelled already",
}


@pytest.mark.parametrize(("state", "command"), SAID, ids=lambda part: part if isinstance(part, str) else part.__name__)
def test_each_command_in_each_state_does_its_work_or_says_why_not(database, state, command):
    job = make_job(database, ROWS, SHARD_ROWS)
    state(database, job)
    before, said = progress(database, job), SAID[state, command]
    if isinstance(said, JobState):
        after = do(database, COMMANDS[command], job.id)
        assert after.state == said
        assert after.done + after.open + after.unscored == ROWS
    else:
        with pytest.raises(RelexError, match=said):
            do(database, COMMANDS[command], job.id)
        assert progress(database, job) == before
    assert_books_balance(database)


@pytest.mark.parametrize("state", [queued, running, paused, done, done_with_errors, failed, cancelled])
def test_from_every_state_a_job_comes_to_a_whole_end(database, state):
    job = make_job(database, ROWS, SHARD_ROWS)
    score_all(database)
    whole = exported(database, job)
    other = make_job(database, ROWS, SHARD_ROWS, key="other")
    state(database, other)
    if progress(database, other).job.paused_at:
        do(database, control.resume_job, other.id)
    if progress(database, other).unscored or progress(database, other).failed:
        do(database, control.retry_job, other.id, rows=True)
    with database.transaction() as tx:  # the worker that held a shard is gone
        tx.exec_driver_sql("UPDATE shards SET lease_until = '-infinity' WHERE state = 'running'")
    sweep(database)
    score_all(database)
    assert progress(database, other).state is JobState.DONE
    assert exported(database, other) == whole
    assert_books_balance(database)


def test_a_cancelled_job_keeps_what_is_done_and_refuses_the_workers_that_hold_the_rest(database):
    job = make_job(database, ROWS, SHARD_ROWS)
    complete(database, claim(database))
    held = claim(database)
    ended = do(database, control.cancel_job, job.id)
    assert (ended.state, ended.done, ended.unscored, ended.cancelled_shards) == (JobState.CANCELLED, 4, 6, 2)
    assert ended.since == ended.job.cancelled_at
    assert claim(database) is None
    for write, argument in ((shards.renew, 60), (shards.release, "late"), (shards.fail, "late")):
        with pytest.raises(LeaseLost, match="or it was cancelled"):
            do(database, write, held, argument)
    with pytest.raises(LeaseLost):
        complete(database, held)
    assert sweep(database).shards == 0
    assert len(exported(database, job).splitlines()) == 4
    assert progress(database, job) == ended


def test_a_retry_scores_what_is_left_and_touches_nothing_else(database):
    job = make_job(database, ROWS, SHARD_ROWS)
    complete(database, claim(database), wrong={2})
    do(database, control.cancel_job, job.id)
    before = written(database)
    again = do(database, control.retry_job, job.id, rows=False)
    assert (again.state, again.done, again.failed, again.open, again.unscored) == (JobState.RUNNING, 4, 1, 6, 0)
    assert again.job.cancelled_at is None
    assert [shard.attempt for shard in (claim(database), claim(database))] == [0, 0]
    assert {row: by for row, by in written(database).items() if row in before} == before


def test_rows_that_failed_are_cut_out_and_scored_again(database):
    job = make_job(database, rows=12, shard_rows=6)
    wrong = {0, 3, 4, 11}
    score_all(database, wrong)
    truncated_rows, before = progress(database, job).truncated_rows, written(database)
    again = do(database, control.retry_job, job.id, rows=True)
    assert (again.done, again.failed, again.open, again.truncated_rows) == (8, 0, 4, truncated_rows)
    assert_books_balance(database)
    taken = []
    while shard := claim(database):
        taken.append((shard.first_row, shard.end_row))
        complete(database, shard, wrong={4})
    assert taken == [(0, 1), (3, 5), (11, 12)]
    ended = progress(database, job)
    assert (ended.state, ended.done, ended.failed) == (JobState.DONE, 12, 1)
    assert {row: by for row, by in written(database).items() if row in before} == before
    with database.transaction() as tx:
        assert [id_ for id_, *_ in results.errors_of(tx, job.id)] == ["id-4"]


def test_a_worker_that_held_a_shard_before_the_retry_doubles_nothing(database):
    job = make_job(database, rows=4)
    late = claim(database)
    do(database, control.cancel_job, job.id)
    do(database, control.retry_job, job.id, rows=False)
    with pytest.raises(LeaseLost):  # while the shard waits
        complete(database, late)
    second = claim(database)
    with pytest.raises(LeaseLost):  # while another has it
        complete(database, late)
    complete(database, second)
    with pytest.raises(LeaseLost):  # after that one has ended it
        complete(database, late)
    assert progress(database, job).state is JobState.DONE
    assert_books_balance(database)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_want_a_job_that_is_there(database, command):
    with pytest.raises(JobNotFound):
        do(database, COMMANDS[command], "j-nothing")


@pytest.mark.parametrize("change", ["cancelled_at = now()", "error = 'x'", "purged_at = now()"])
def test_postgres_refuses_an_end_without_an_end(database, change):
    make_job(database)
    with pytest.raises(Exception, match="jobs_ended"), database.transaction() as tx:
        tx.exec_driver_sql(f"UPDATE jobs SET {change}")


def test_a_job_whose_shards_leave_rows_out_is_not_closed(database):
    job = make_job(database, rows=8)
    with database.transaction() as tx:
        tx.exec_driver_sql("DELETE FROM shards WHERE first_row = 0")
    shard = claim(database)
    do(database, shards.complete, shard, Outcome([prediction(example(n)) for n in range(4, 8)]))
    with pytest.raises(RelexError, match="do not cover its 8 rows"):
        do(database, jobs.close_if_ended, job.id)
    assert not progress(database, job).state.ended
