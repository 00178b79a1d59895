"""A worker that falls stalled in the middle of a transaction: its locks block nobody, and not forever."""

import time

import pytest

from relex.db import jobs, leases, predictions, runs, shards
from relex.db.connection import Database
from relex.domain.examples import Outcome
from relex.domain.runs import RunState
from relex.errors import DatabaseUnreachable, LockTimeout
from relex.flows import control
from relex.flows.control import cancel
from relex.flows.sweep import Waiting, sweep
from tests.factories import example, make_job, prediction
from tests.processes import wait_until


def claim(database):
    with database.transaction() as tx:
        return shards.claim(tx, "worker", 0)


def complete(database, shard):
    with database.transaction() as tx:
        rows = range(shard.first_row, shard.end_row)
        shards.complete(tx, shard, Outcome([prediction(example(n)) for n in rows]))


def test_the_others_are_recovered_while_one_is_stalled_in_its_commit(database):
    make_job(database, rows=12, shard_rows=4)
    stalled, others = claim(database), [claim(database), claim(database)]
    with database.transaction() as frozen:
        shards.complete(frozen, stalled, Outcome([prediction(example(n)) for n in range(4)]))
        with database.transaction() as tx:
            tx.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            assert shards.recover(tx) == len(others)
    with database.transaction() as tx:
        assert (shards.recover(tx), shards.is_done(tx, stalled)) == (0, True)


def test_a_command_that_a_stalled_worker_blocks_gives_up_and_blocks_nobody_else(database, monkeypatch):
    monkeypatch.setattr(jobs, "LOCK_TIMEOUT", "100ms")
    job = make_job(database, rows=4)
    stalled = claim(database)
    with database.transaction() as frozen:
        shards.complete(frozen, stalled, Outcome([prediction(example(n)) for n in range(4)]))
        with pytest.raises(DatabaseUnreachable, match="try again soon"), database.transaction() as tx:
            control.cancel_job(tx, job.id)
        with database.transaction() as tx:
            assert leases.try_lock_sweep(tx)
    with database.transaction() as tx:
        assert jobs.lock_job(tx, job.id).done == 4


def test_a_training_process_that_freezes_while_it_registers_blocks_no_sweep_and_no_cancel(database, monkeypatch):
    """Its row is locked, its lease runs out: everybody else must be recovered, closed and cancelled meanwhile."""
    monkeypatch.setattr(runs, "CANCEL_TIMEOUT", "100ms")
    job = make_job(database, rows=8, shard_rows=4)
    done, lost = claim(database), claim(database)
    complete(database, done)
    with database.transaction() as tx:
        registering, stalled = (runs.insert_run(tx, "tiny", {}, "/") for _ in range(2))
        run, _ = runs.claim(tx, "frozen", 0), runs.claim(tx, "stalled", 0)
    with database.transaction() as frozen:
        runs.lock_run(frozen, run)
        hasty = Database(f"{database.url}?options=-c%20lock_timeout%3D2s")
        assert sweep(hasty) == Waiting(shards=1, runs=1)
        hasty.close()
        with pytest.raises(LockTimeout, match="try again soon"):
            cancel(database, registering)
        assert cancel(database, stalled).state is RunState.CANCELLED
        assert commands_after(database, job, lost)
    assert sweep(database) == Waiting(shards=0, runs=1)


def commands_after(database, job, lost):
    """Whether a job can still be scored to its end and closed."""
    complete(database, claim(database))
    with database.transaction() as tx:
        jobs.close_if_ended(tx, job.id)
    with database.transaction() as tx:
        assert not shards.is_done(tx, lost)
        return jobs.progress(tx, jobs.find(tx, job.id)).state.ended


@pytest.mark.parametrize("table", ["jobs", "shards", "runs"])
def test_a_sweep_waits_for_no_row_that_a_frozen_process_has_locked(database, monkeypatch, table):
    """Every statement of the sweep meets a locked row here: to recover, to halve, to close, to give up."""
    monkeypatch.setattr(jobs, "CLOSE_TIMEOUT", "100ms")
    make_job(database, rows=12, shard_rows=4)
    ended, *_ = claim(database), claim(database), claim(database)
    complete(database, ended)
    other = make_job(database, rows=4, key="other")
    complete(database, claim(database))
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE shards SET crashes = 2 WHERE state = 'running'")
        tx.exec_driver_sql(
            "INSERT INTO shards (job_id, first_row, end_row, crashes) VALUES (%s, 12, 13, 2)", (job_of(tx),)
        )
        runs.insert_run(tx, "tiny", {}, "/")
        runs.claim(tx, "stalled", 0)
        runs.insert_run(tx, "tiny", {}, "/")
        tx.exec_driver_sql("UPDATE runs SET attempt = 3 WHERE state = 'queued'")
    with database.transaction() as frozen:
        frozen.exec_driver_sql(f"SELECT FROM {table} FOR NO KEY UPDATE")
        sweep(database)
        with database.transaction() as tx:
            assert leases.try_lock_sweep(tx)
            closed = jobs.find(tx, other.id).finished_at is not None
        assert closed == (table != "jobs")
    sweep(database)
    with database.transaction() as tx:
        assert jobs.find(tx, other.id).finished_at
        states = set(tx.exec_driver_sql("SELECT state FROM shards UNION SELECT state FROM runs").scalars())
    assert states == {"pending", "done", "queued", "failed"}


def test_a_process_that_is_stalled_in_a_sweep_or_a_command_is_ended_soon(database, monkeypatch):
    """A holder of the sweep's lock blocks every recovery and every command of the others."""
    monkeypatch.setattr(leases, "SWEEP_IDLE_TIMEOUT", "100ms")
    make_job(database, rows=4)
    claim(database)
    with pytest.raises(DatabaseUnreachable):
        fall_stalled_in_a_sweep(database)


def fall_stalled_in_a_sweep(database):
    with database.transaction() as stalled:
        assert leases.try_lock_sweep(stalled)
        wait_until(lambda: sweep(database).shards == 1)
        jobs.find_unclosed(stalled)


def job_of(tx):
    return tx.exec_driver_sql("SELECT id FROM jobs ORDER BY seq LIMIT 1").scalar()


@pytest.mark.parametrize("copying", [False, True])
def test_postgres_ends_a_session_that_is_stalled_in_a_transaction(database_url, database, copying):
    hasty = Database(f"{database_url}?options=-c%20idle_in_transaction_session_timeout%3D50ms")
    make_job(database, rows=4)
    shard = claim(database)
    with pytest.raises(DatabaseUnreachable, match=r"idle-in-transaction|connection is lost"):
        fall_stalled(hasty, shard, copying=copying)
    hasty.close()
    with database.transaction() as tx:
        assert shards.recover(tx) == 1


def fall_stalled(database, shard, *, copying):
    with database.transaction() as tx:
        shards.renew(tx, shard, 60)
        time.sleep(0.3)  # longer than the timeout of Postgres
        if copying:
            predictions.copy_in(tx, shard.job_id, Outcome([]))
        shards.renew(tx, shard, 60)


def test_ours_ends_it_after_a_minute_where_nobody_says_otherwise(database):
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "1min"
