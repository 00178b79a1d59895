"""A worker that falls silent in the middle of a transaction: its locks hold up nobody, and not for ever."""

import time

import pytest

from relex.db import jobs, predictions, recovery, shards, verbs
from relex.db.connection import Database
from relex.errors import DatabaseUnreachable
from relex.examples import Outcome
from tests.making import example, make_job, prediction


def claim(database):
    with database.transaction() as tx:
        return shards.claim(tx, "worker", 0)


def test_the_others_are_recovered_while_one_is_silent_in_its_commit(database):
    make_job(database, rows=12, shard_rows=4)
    silent, others = claim(database), [claim(database), claim(database)]
    with database.transaction() as frozen:
        shards.complete(frozen, silent, Outcome([prediction(example(n)) for n in range(4)]))
        with database.transaction() as tx:
            tx.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            assert recovery.recover(tx) == len(others)
    with database.transaction() as tx:
        assert (recovery.recover(tx), shards.is_done(tx, silent)) == (0, True)


def test_a_verb_that_a_silent_worker_holds_up_gives_up_and_holds_up_nobody_else(database, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", "100ms")
    job = make_job(database, rows=4)
    silent = claim(database)
    with database.transaction() as frozen:
        shards.complete(frozen, silent, Outcome([prediction(example(n)) for n in range(4)]))
        with pytest.raises(DatabaseUnreachable, match="try again soon"), database.transaction() as tx:
            verbs.cancel(tx, job.id)
        with database.transaction() as tx:
            assert recovery.alone(tx)
    with database.transaction() as tx:
        assert verbs.hold(tx, job.id).done == 4


@pytest.mark.parametrize("copying", [False, True])
def test_postgres_ends_a_session_that_is_silent_in_a_transaction(database_url, database, copying):
    hasty = Database(f"{database_url}?options=-c%20idle_in_transaction_session_timeout%3D50ms")
    make_job(database, rows=4)
    shard = claim(database)
    with pytest.raises(DatabaseUnreachable, match=r"idle-in-transaction|connection is lost"):
        fall_silent(hasty, shard, copying=copying)
    hasty.close()
    with database.transaction() as tx:
        assert recovery.recover(tx) == 1


def fall_silent(database, shard, *, copying):
    with database.transaction() as tx:
        shards.renew(tx, shard, 60)
        time.sleep(0.3)  # longer than Postgres bears with
        if copying:
            predictions.copy_in(tx, shard.job_id, Outcome([]))
        shards.renew(tx, shard, 60)


def test_ours_ends_it_after_a_minute_where_nobody_says_otherwise(database):
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "1min"
