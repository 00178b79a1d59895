"""Two of them at the same moment, in both orders: verbs, workers, the sweep. Row locks and tokens decide, not luck."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest

from relex.db import deletion, jobs, leases, results, shards
from relex.domain.examples import Outcome
from relex.domain.jobs import JobState
from relex.errors import LeaseLost, RelexError, Transient
from relex.flows import control
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.flows.sweep import sweep
from tests.factories import FakeScorer, example, make_job, prediction
from tests.job_steps import assert_books_balance, claim, do, progress, while_open


def complete(tx, shard):
    rows = range(shard.first_row, shard.end_row)
    shards.complete(tx, shard, Outcome([prediction(example(n)) for n in rows]))


@pytest.fixture
def job(database):
    yield make_job(database, rows=10, shard_rows=4)
    assert_books_balance(database)


def test_a_commit_before_a_cancel_is_kept(database, job):
    shard = claim(database)
    ended = while_open(database, lambda tx: complete(tx, shard), lambda: do(database, control.cancel_job, job.id))
    assert (ended.state, ended.done, ended.unscored) == (JobState.CANCELLED, 4, 6)


def test_a_commit_behind_a_cancel_is_refused(database, job):
    shard = claim(database)
    with pytest.raises(LeaseLost):
        while_open(database, lambda tx: control.cancel_job(tx, job.id), lambda: do(database, complete, shard))
    assert progress(database, job).done == 0


def test_a_claim_before_a_cancel_is_worth_nothing(database, job):
    held = []
    ended = while_open(
        database,
        lambda tx: held.append(shards.claim(tx, "worker", 60)),
        lambda: do(database, control.cancel_job, job.id),
    )
    assert (ended.running_shards, ended.cancelled_shards) == (0, 3)
    with pytest.raises(LeaseLost):
        do(database, complete, held[0])


def test_a_claim_behind_a_cancel_finds_nothing_and_waits_for_nobody(database, job):
    assert while_open(database, lambda tx: control.cancel_job(tx, job.id), lambda: claim(database)) is None


def test_a_cancel_behind_the_commit_of_the_last_shard_lets_the_job_be_done(database, job):
    do(database, complete, claim(database))
    do(database, complete, claim(database))
    last = claim(database)
    with pytest.raises(RelexError, match="every shard has ended already"):
        while_open(database, lambda tx: complete(tx, last), lambda: do(database, control.cancel_job, job.id))
    do(database, jobs.close_if_ended, job.id)
    assert progress(database, job).state is JobState.DONE


def test_a_sweep_that_halves_before_a_cancel_hides_no_half_from_it(database, job):
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE shards SET crashes = 2")

    def halve(tx):
        assert leases.try_lock_sweep(tx)
        shards.recover(tx)

    ended = while_open(database, halve, lambda: do(database, control.cancel_job, job.id))
    assert (ended.pending_shards, ended.cancelled_shards) == (0, 6)


def test_a_sweep_behind_a_cancel_leaves_the_job_alone(database, job):
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE shards SET crashes = 2")
    while_open(database, lambda tx: control.cancel_job(tx, job.id), lambda: sweep(database))
    assert progress(database, job).cancelled_shards == 3


def test_of_a_close_and_a_cancel_the_first_one_holds(database, job):
    while shard := claim(database):
        do(database, complete, shard)
    with pytest.raises(RelexError, match="is done already"):
        while_open(
            database,
            lambda tx: jobs.close_if_ended(tx, job.id),
            lambda: do(database, control.cancel_job, job.id),
        )
    assert progress(database, job).state is JobState.DONE


def test_a_close_that_looked_before_a_retry_does_not_end_the_job_again(database, job):
    while shard := claim(database):
        do(database, shards.fail, shard, "broken")

    def close_and_retry(tx):
        jobs.lock_job(tx, job.id)
        jobs.close_if_ended(tx, job.id)
        control.retry_job(tx, job.id, rows=False)

    # It sees a job without open shards, then waits; meanwhile all of them are queued again.
    while_open(database, close_and_retry, lambda: do(database, jobs.close_if_ended, job.id))
    assert (progress(database, job).state, progress(database, job).open) == (JobState.QUEUED, 10)


def test_two_retries_queue_everything_once(database, job):
    do(database, control.cancel_job, job.id)
    with pytest.raises(RelexError, match="only a job that has ended"):
        while_open(
            database,
            lambda tx: control.retry_job(tx, job.id, rows=True),
            lambda: do(database, control.retry_job, job.id, rows=True),
        )
    assert progress(database, job).open == 10


def test_a_late_commit_beside_a_retry_is_refused_in_either_order(database, job):
    late = claim(database)
    do(database, control.cancel_job, job.id)
    with pytest.raises(LeaseLost):
        while_open(database, lambda tx: control.retry_job(tx, job.id, rows=False), lambda: do(database, complete, late))
    second = claim(database)
    assert second.first_row == late.first_row
    with pytest.raises(LeaseLost):
        while_open(database, lambda tx: complete(tx, second), lambda: do(database, complete, late))
    assert progress(database, job).done == 4


def test_a_claim_before_a_pause_is_finished_and_one_behind_it_finds_nothing(database, job):
    held = []
    while_open(
        database,
        lambda tx: held.append(shards.claim(tx, "worker", 60)),
        lambda: do(database, control.pause_job, job.id),
    )
    assert claim(database) is None
    do(database, complete, held[0])
    assert progress(database, job).done == 4


def test_a_claim_does_not_wait_for_a_command_on_another_job(database, job):
    other = make_job(database, rows=4, key="other")
    claimed = while_open(database, lambda tx: control.cancel_job(tx, other.id), lambda: claim(database))
    assert claimed.job_id == job.id


def test_a_retry_before_a_purge_saves_the_job_and_one_behind_it_finds_none(database, job):
    ended = do(database, control.cancel_job, job.id).job
    assert not while_open(
        database,
        lambda tx: control.retry_job(tx, job.id, rows=False),
        lambda: do(database, deletion.mark, ended, timedelta(0)),
    )
    do(database, control.cancel_job, job.id)
    with pytest.raises(RelexError, match="no job has the id"):
        while_open(
            database,
            lambda tx: deletion.mark(tx, ended, timedelta(0)),
            lambda: do(database, control.retry_job, job.id, rows=False),
        )


class Cut(FakeScorer):
    """Cannot score some rows, others in each round."""

    def __init__(self, seed):
        super().__init__()
        self.random = random.Random(seed)

    def score(self, examples):
        for batch in super().score(examples):
            if self.random.random() < 0.1:
                raise ValueError("a bad row")
            yield batch


@pytest.mark.parametrize("seed", range(3))
def test_commands_and_workers_together_lose_and_double_nothing(database, seed):
    """Verbs in any order beside two workers; the books balance whenever one looks, and all comes to a whole end."""
    drawn = random.Random(seed)
    made = [make_job(database, rows=60, shard_rows=6, key=str(number)) for number in range(2)]
    over = Event()

    def work(number):
        worker = Worker(f"worker-{number}", lambda *_: Cut(seed * 10 + number), LeaseTerms(60, 60, lambda: False))
        while not over.is_set():
            if not score_next(database, worker):
                over.wait(0.01)

    chosen = [
        lambda tx, job: control.cancel_job(tx, job.id),
        lambda tx, job: control.retry_job(tx, job.id, rows=False),
        lambda tx, job: control.retry_job(tx, job.id, rows=True),
        lambda tx, job: control.pause_job(tx, job.id),
        lambda tx, job: control.resume_job(tx, job.id),
    ]
    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(work, number) for number in range(2)]
        for _ in range(40):
            try:
                do(database, drawn.choice(chosen), drawn.choice(made))
            except RelexError as error:
                assert not isinstance(error, Transient) and "bug" not in str(error)  # noqa: PT017, PT018
            assert_books_balance(database)
        over.set()
        for each in working:
            each.result(timeout=30)
    for job in made:
        bring_to_its_end(database, job)
        with database.transaction() as tx:
            lines = b"".join(map(bytes, results.copy_csv(tx, job.id))).decode().splitlines()
        assert [line.split(",")[:2] for line in lines] == [[f"id-{n}", prediction(example(n)).label] for n in range(60)]
    assert_books_balance(database)


def bring_to_its_end(database, job):
    """What a person would do to have every row scored."""
    if progress(database, job).state is JobState.PAUSED:
        do(database, control.resume_job, job.id)
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE shards SET not_before = '-infinity'")
    worker = Worker("last", lambda *_: FakeScorer(), LeaseTerms(60, 60, lambda: False))
    while score_next(database, worker):
        pass
    left = progress(database, job)
    if left.unscored or left.failed:
        do(database, control.retry_job, job.id, rows=True)
        while score_next(database, worker):
            pass
    assert progress(database, job).state is JobState.DONE
