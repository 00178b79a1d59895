"""The state machine: who may claim, who may write, what a late writer leaves behind."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from relex.db import jobs, shards
from relex.domain.examples import Outcome, RowError
from relex.domain.jobs import JobState
from relex.errors import LeaseLost, RelexError
from relex.flows.sweep import sweep
from tests.factories import example, make_job, prediction
from tests.job_steps import progress


def claim(database, lease_seconds=60.0):
    with database.transaction() as tx:
        return shards.claim(tx, "worker", lease_seconds)


def complete(database, shard):
    with database.transaction() as tx:
        rows = range(shard.first_row, shard.end_row)
        shards.complete(tx, shard, Outcome([prediction(example(n)) for n in rows]))


def recover(database):
    with database.transaction() as tx:
        return shards.recover(tx)


def count(database, table):
    with database.transaction() as tx:
        return tx.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()


def test_a_job_is_cut_into_shards_that_cover_every_row_once(database):
    make_job(database, rows=10, shard_rows=4)
    ranges = [(shard.first_row, shard.end_row) for shard in iter(lambda: claim(database), None)]
    assert ranges == [(0, 4), (4, 8), (8, 10)]


def test_claims_at_the_same_moment_never_share_a_shard(database):
    make_job(database, rows=200, shard_rows=4)
    with ThreadPoolExecutor(8) as pool:
        claimed = [shard for shard in pool.map(lambda _: claim(database), range(60)) if shard]
    assert len(claimed) == 50
    assert len({shard.first_row for shard in claimed}) == 50
    assert len({shard.token for shard in claimed}) == 50


def test_a_completed_shard_is_written_once(database):
    job = make_job(database, rows=4)
    shard = claim(database)
    complete(database, shard)
    with pytest.raises(LeaseLost):
        complete(database, shard)
    assert count(database, "predictions") == 4
    assert progress(database, job).done == 4


def test_a_lease_that_ran_out_goes_to_another_and_the_first_comes_too_late(database):
    make_job(database, rows=4)
    first = claim(database, lease_seconds=0)
    assert recover(database) == 1
    second = claim(database)
    assert (second.first_row, second.end_row) == (first.first_row, first.end_row)
    assert second.token > first.token
    for write in (shards.renew, shards.release, shards.fail):
        argument = 60 if write is shards.renew else "late"
        with pytest.raises(LeaseLost), database.transaction() as tx:
            write(tx, first, argument)
    with pytest.raises(LeaseLost):
        complete(database, first)
    assert count(database, "predictions") == 0
    complete(database, second)
    assert count(database, "predictions") == 4


def test_a_lease_that_runs_is_left_alone(database):
    make_job(database, rows=4)
    shard = claim(database)
    assert recover(database) == 0
    complete(database, shard)
    assert recover(database) == 0


def test_renewing_keeps_a_shard(database):
    make_job(database, rows=4)
    shard = claim(database, lease_seconds=0)
    with database.transaction() as tx:
        shards.renew(tx, shard, 60)
    assert recover(database) == 0


def test_a_released_shard_counts_no_attempt_and_waits_for_its_delay(database):
    make_job(database, rows=4)
    with database.transaction() as tx:
        shards.release(tx, claim(database), "worker stopped")
    again = claim(database)
    assert again.attempt == 0
    with database.transaction() as tx:
        shards.release(tx, again, "Postgres was away", delay_seconds=60)
    assert claim(database) is None


def accounted(database):
    """What is held against the only shard: failed attempts and crashes."""
    with database.transaction() as tx:
        return tuple(tx.exec_driver_sql("SELECT attempt, crashes FROM shards").one())


def test_only_a_failure_of_the_shard_itself_is_an_attempt(database):
    make_job(database, rows=4)
    with database.transaction() as tx:
        shards.release(tx, claim(database), "it raised", failed=True)
    claim(database, lease_seconds=0)
    recover(database)
    assert accounted(database) == (1, 1)
    with database.transaction() as tx:
        shards.release(tx, claim(database), "it raised", failed=True)
    assert accounted(database) == (2, 1)


def test_leases_that_ran_out_while_postgres_was_away_or_had_just_started_count_nothing(database):
    make_job(database, rows=4)
    for moment in ("- interval '1 minute'", "+ interval '5 seconds'"):
        for _ in range(3):
            claim(database, lease_seconds=0)
            with database.transaction() as tx:
                tx.exec_driver_sql(f"UPDATE shards SET lease_until = pg_postmaster_start_time() {moment}")
            assert recover(database) == 1
    assert accounted(database) == (0, 0)


@pytest.mark.parametrize("renewed", [False, True])
def test_a_worker_that_comes_back_after_its_lease_is_accepted_until_another_has_claimed(database, renewed):
    """An outage longer than a lease must not throw away what was computed meanwhile."""
    job = make_job(database, rows=4)
    shard = claim(database, lease_seconds=0)
    assert (recover(database), accounted(database)) == (1, (0, 1))
    if renewed:
        with database.transaction() as tx:
            shards.renew(tx, shard, 60)
        assert (accounted(database), recover(database), claim(database)) == ((0, 0), 0, None)
    complete(database, shard)
    assert (progress(database, job).done, count(database, "predictions")) == (4, 4)
    assert claim(database) is None


def test_a_shard_that_was_halved_meanwhile_is_not_accepted_as_a_whole(database):
    job = make_job(database, rows=4)
    for _ in range(shards.CRASHES_BEFORE_HALVING):
        late = claim(database, lease_seconds=0)
        recover(database)
    for write in (lambda tx: shards.renew(tx, late, 60), lambda tx: shards.fail(tx, late, "late")):
        with pytest.raises(LeaseLost), database.transaction() as tx:
            write(tx)
    with pytest.raises(LeaseLost):
        complete(database, late)
    while shard := claim(database):
        complete(database, shard)
    assert (progress(database, job).done, count(database, "predictions")) == (4, 4)


def test_a_quarantined_row_is_not_accepted_from_the_worker_that_it_seemed_to_kill(database):
    make_job(database, rows=1)
    for _ in range(shards.CRASHES_BEFORE_HALVING):
        late = claim(database, lease_seconds=0)
        recover(database)
    with pytest.raises(LeaseLost):
        complete(database, late)
    assert (count(database, "predictions"), count(database, "row_errors")) == (0, 1)
    with database.transaction() as tx:
        assert not shards.is_done(tx, late)


def test_a_shard_that_was_given_back_is_not_accepted_any_more(database):
    make_job(database, rows=4)
    shard = claim(database)
    with database.transaction() as tx:
        shards.release(tx, shard, "worker stopped")
    with pytest.raises(LeaseLost):
        complete(database, shard)


def test_the_job_served_longest_ago_is_next(database):
    large = make_job(database, rows=40, key="large")
    assert claim(database).job_id == large.id
    small = make_job(database, rows=8, key="small")
    turns = [claim(database).job_id for _ in range(4)]
    assert turns == [small.id, large.id, small.id, large.id]


def test_a_shard_that_keeps_crashing_is_halved_until_the_crashing_row_stands_alone(database):
    job = make_job(database, rows=4)
    crashing = 2
    for _ in range(20):
        shard = claim(database, lease_seconds=0)
        if shard is None:
            break
        if shard.first_row <= crashing < shard.end_row:
            recover(database)  # its worker died
        else:
            complete(database, shard)
    assert count(database, "predictions") == 3
    with database.transaction() as tx:
        errors = tx.exec_driver_sql("SELECT row_no, code FROM row_errors").all()
        jobs.close_if_ended(tx, job.id)
    assert errors == [(crashing, "crashed")]
    ended = progress(database, job)
    assert (ended.state, ended.done, ended.failed) == (JobState.DONE, 4, 1)


def test_a_job_whose_rows_do_not_add_up_is_not_closed(database):
    job = make_job(database, rows=4)
    shard = claim(database)
    with database.transaction() as tx:
        shards.complete(tx, shard, Outcome([prediction(example(0))], [RowError(1, "bad", "bad")]))
    with pytest.raises(RelexError, match="2 predictions and row errors for 4 rows"), database.transaction() as tx:
        jobs.close_if_ended(tx, job.id)
    assert not progress(database, job).state.ended


def test_a_job_that_cannot_be_closed_does_not_block_the_others(database):
    broken = make_job(database, rows=4, key="broken")
    shard = claim(database)
    with database.transaction() as tx:
        shards.complete(tx, shard, Outcome([prediction(example(0))]))
    good = make_job(database, rows=4, key="good")
    complete(database, claim(database))
    waiting = make_job(database, rows=4, key="waiting")
    lost = claim(database, lease_seconds=0)
    assert sweep(database).shards == 1
    assert lost.job_id == waiting.id
    assert progress(database, good).state is JobState.DONE
    assert not progress(database, broken).state.ended


def test_claims_from_many_jobs_at_the_same_moment_each_find_one(database):
    for number in range(3):
        make_job(database, rows=4, key=str(number))
    with database.transaction() as first, database.transaction() as second, database.transaction() as third:
        claimed = [shards.claim(tx, "worker", 60) for tx in (first, second, third)]
    assert len({shard.job_id for shard in claimed}) == 3


def test_a_claim_that_is_not_committed_yet_holds_nobody_up(database):
    make_job(database, rows=12, shard_rows=4)
    with database.transaction() as first, database.transaction() as second:
        one, other = (shards.claim(tx, "worker", 60) for tx in (first, second))
    assert one.first_row != other.first_row


def test_an_unknown_state_or_a_wrong_number_of_probabilities_cannot_be_stored(database):
    make_job(database, rows=4)
    shard = claim(database)
    short = prediction(example(0))
    short = type(short)(0, short.label, short.probabilities[:29])
    with pytest.raises(Exception, match="predictions_probabilities_check"), database.transaction() as tx:
        shards.complete(tx, shard, Outcome([short]))
    assert count(database, "predictions") == 0
