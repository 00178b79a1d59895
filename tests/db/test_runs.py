"""Training runs as rows: who may cancel, who is given up, which is the newest; who comes late changes nothing."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from relex.db import ids, runs
from relex.domain.runs import RunState
from relex.errors import JobNotFound, LeaseLost, NotFound, RelexError, RunNotFound
from relex.flows.control import cancel
from relex.flows.status import newest_runs, status
from relex.flows.sweep import sweep
from tests.factories import make_job
from tests.processes import wait_until


@pytest.fixture
def queue(database):
    """Queue a run and give its id."""

    def queue(name="tiny"):
        with database.transaction() as tx:
            return runs.insert_run(tx, name, {}, "/")

    return queue


@pytest.fixture
def claim(database):
    """Claim the next run, by default with a lease that has run out already."""

    def claim(lease_seconds=0):
        with database.transaction() as tx:
            return runs.claim(tx, "worker", lease_seconds)

    return claim


@pytest.fixture
def state(database):
    def state(run_id):
        with database.transaction() as tx:
            return runs.find(tx, run_id).state

    return state


def renew(database, run, step, lease_seconds=0):
    with database.transaction() as tx:
        runs.renew(tx, run, lease_seconds, {"step": step})


def test_a_queued_run_is_cancelled_at_once_and_never_claimed(database, queue, claim, state):
    run_id = queue()
    assert cancel(database, run_id[:5]).id == run_id
    assert state(run_id) is RunState.CANCELLED
    assert claim() is None
    with database.transaction() as tx:
        found = runs.find(tx, run_id)
        lease = tx.exec_driver_sql("SELECT lease_until FROM runs").scalar()
    assert (found.error, found.model, lease) == (None, None, None)
    assert found.finished_at >= found.created_at


def test_whatever_the_worker_of_a_cancelled_run_writes_is_refused_and_says_why(database, queue, claim, state):
    run_id = queue()
    run = claim(60)
    cancel(database, run_id)
    writes = (
        lambda tx: runs.lock_run(tx, run),
        lambda tx: runs.renew(tx, run, 60, {"step": 1}),
        lambda tx: runs.complete(tx, run, "tiny@1", {}),
        lambda tx: runs.fail(tx, run, "late"),
        lambda tx: runs.release(tx, run),
    )
    for write in writes:
        with pytest.raises(LeaseLost, match=f"{run_id}: cancelled"), database.transaction() as tx:
            write(tx)
    sweep(database)
    assert state(run_id) is RunState.CANCELLED


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_a_run_that_has_ended_is_not_cancelled_and_its_state_is_reported(database, queue, claim, state, end):
    run_id = queue()
    run = claim(60)
    with database.transaction() as tx:
        if end == "done":
            runs.complete(tx, run, "tiny@1", {})
        elif end == "failed":
            runs.fail(tx, run, "because")
        else:
            runs.cancel(tx, run)
    with pytest.raises(RelexError, match=f"{run_id} is {end} already"):
        cancel(database, run_id)
    assert state(run_id) == end


def test_an_unknown_id_is_not_found(database, queue):
    with pytest.raises(JobNotFound):
        cancel(database, "j-000000")
    with pytest.raises(RunNotFound):
        cancel(database, "r-")
    queue()
    queue()
    with pytest.raises(RunNotFound, match="matches several"):
        cancel(database, "r-")


def test_cancelling_while_a_version_is_registered_comes_too_late(database, queue, claim, state):
    run_id = queue()
    run = claim(60)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as tx:
            runs.lock_run(tx, run)
            cancelling = pool.submit(cancel, database, run_id)
            wait_until(lambda: waits_for_a_lock(database))
            runs.complete(tx, run, "tiny@1", {})
        with pytest.raises(RelexError, match="is done already"):
            cancelling.result(timeout=60)
    assert state(run_id) is RunState.DONE


def test_registering_while_the_run_is_cancelled_comes_too_late(database, queue, claim, state):
    run_id = queue()
    run = claim(60)

    def register():
        with database.transaction() as tx:
            runs.lock_run(tx, run)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as tx:
            runs.cancel(tx, run)
            registering = pool.submit(register)
            wait_until(lambda: waits_for_a_lock(database))
        with pytest.raises(LeaseLost):
            registering.result(timeout=60)
    assert state(run_id) is RunState.CANCELLED


def waits_for_a_lock(database):
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with database.transaction() as tx:
        return tx.exec_driver_sql(query).scalar() > 0


def test_last_is_the_newest_of_jobs_and_runs_together(database, queue):
    with pytest.raises(NotFound, match="no jobs and no training runs yet"):
        status(database, "@last")
    first = queue()
    assert status(database, "@last").id == first
    job = make_job(database)
    assert status(database, "@last").job.id == job.id
    second = queue()
    assert status(database, "@last").id == second
    with database.transaction() as tx:
        assert ids.last_id(tx) == second
        tx.exec_driver_sql("UPDATE jobs SET seq = DEFAULT")  # what a second submit of the same file does
    assert status(database, "@last").job.id == job.id
    assert cancel(database, second).id == second


def test_runs_are_listed_newest_first(database, queue):
    queued = [queue(f"tiny{number}") for number in range(3)]
    assert [run.id for run in newest_runs(database, 2)] == queued[:0:-1]


def test_a_run_that_dies_repeatedly_at_one_place_is_given_up(database, queue, claim, state):
    run_id = queue()
    for reached in (2, 5, 4, 5):  # the second of them got further than any before, and its two followers did not
        assert state(run_id) is RunState.QUEUED
        renew(database, claim(), reached)
        sweep(database)
    with database.transaction() as tx:
        found = runs.find(tx, run_id)
    assert found.state is RunState.FAILED
    assert "its worker was killed or stalled 3 times without getting past step 5" in found.error


def test_a_run_that_gets_further_each_time_is_never_given_up(database, queue, claim, state):
    run_id = queue()
    for reached in range(1, 4 * runs.ATTEMPTS):
        claim()
        sweep(database)  # killed before it reported anything
        renew(database, claim(), reached)
        renew(database, claim_of(database), 0)  # what the lease's thread may say later changes nothing
        sweep(database)
        assert state(run_id) is RunState.QUEUED


def claim_of(database):
    """The run that is claimed at this moment."""
    with database.transaction() as tx:
        return runs.find(tx, "@last")


def test_only_silence_counts_not_giving_back_and_not_an_outage_of_postgres(database, queue, claim, state):
    run_id = queue()
    for _ in range(2 * runs.ATTEMPTS):
        with database.transaction() as tx:
            runs.release(tx, runs.claim(tx, "worker", 60))
        claim()
        with database.transaction() as tx:
            tx.exec_driver_sql("UPDATE runs SET lease_until = pg_postmaster_start_time() - interval '1 second'")
        sweep(database)
    assert state(run_id) is RunState.QUEUED


def test_a_worker_that_comes_back_after_its_lease_keeps_the_run_until_another_has_claimed_it(
    database, queue, claim, state
):
    queue()
    run = claim()
    for _ in range(2 * runs.ATTEMPTS):
        sweep(database)
        renew(database, run, 0)
    assert state(run.id) is RunState.RUNNING
    sweep(database)
    other = claim(60)
    with pytest.raises(LeaseLost, match="another worker has this run"):
        renew(database, run, 0)
    with database.transaction() as tx:
        runs.complete(tx, other, "tiny@1", {})


def test_a_run_that_waits_for_a_service_is_claimed_after_its_delay_and_says_why(database, queue, claim):
    run_id = queue()
    with database.transaction() as tx:
        runs.release(tx, runs.claim(tx, "worker", 60), "the model hub does not answer", delay_seconds=60)
    found = status(database, run_id)
    assert (found.state, found.error) == (RunState.QUEUED, "the model hub does not answer")
    assert (claim(), sweep(database).runs) == (None, 0)
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE runs SET not_before = now()")
    assert sweep(database).runs == 1
    run = claim(60)
    with database.transaction() as tx:
        runs.complete(tx, run, "tiny@1", {})
    assert status(database, run_id).error is None


def test_a_run_given_up_is_not_counted_as_recovered(database, queue, claim):
    queue()
    counts = []
    for _ in range(runs.ATTEMPTS):
        claim()
        with database.transaction() as tx:
            counts.append(runs.recover(tx))
    assert counts == [1, 1, 0]
