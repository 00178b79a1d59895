"""Steps of a job in one transaction each, as workers and commands take them, and what must hold between them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import TypeVar

from relex.db import jobs, results, shards
from relex.db.connection import Database, Transaction
from relex.domain.examples import Outcome, RowError
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from tests.factories import example, prediction
from tests.processes import wait_until


def do(database, command, *arguments, **wishes):
    with database.transaction() as tx:
        return command(tx, *arguments, **wishes)


def claim(database):
    return do(database, shards.claim, "worker", 60.0)


def complete(database, shard, wrong=()):
    rows = range(shard.first_row, shard.end_row)
    scored = [prediction(example(n)) for n in rows if n not in wrong]
    errors = [RowError(n, "bad", "it is bad") for n in rows if n in wrong]
    do(database, shards.complete, shard, Outcome(scored, errors))
    do(database, jobs.close_if_ended, shard.job_id)


def score_all(database, wrong=()):
    while shard := claim(database):
        complete(database, shard, wrong)


@contextmanager
def scoring(url, load_scorer):
    """Score what waits, in a thread beside the block."""
    ended = Event()
    worker = Worker("beside", load_scorer, LeaseTerms(60, 600, ended.is_set))

    def work():
        database = Database(url)
        while not ended.is_set():
            if not score_next(database, worker):
                ended.wait(0.05)
        database.close()

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def progress(database, job):
    with database.transaction() as tx:
        return jobs.progress(tx, jobs.find(tx, job.id))


def exported(database, job):
    with database.transaction() as tx:
        return b"".join(map(bytes, results.copy_csv(tx, job.id)))


def written(database):
    """Which transaction wrote which prediction: a row that was written again has another."""
    with database.transaction() as tx:
        return dict(tx.exec_driver_sql("SELECT row_no, xmin::text FROM predictions").all())


BOOKS = """
    SELECT total,
        (SELECT sum(end_row - first_row) FROM shards WHERE job_id = jobs.id) AS in_shards,
        (SELECT count(*) FROM shards JOIN shards AS other USING (job_id) WHERE job_id = jobs.id
            AND shards.first_row < other.first_row AND shards.end_row > other.first_row) AS overlaps,
        (SELECT count(*) FROM generate_series(0, total - 1) AS row_no
            JOIN shards ON job_id = jobs.id AND first_row <= row_no AND row_no < end_row
            LEFT JOIN predictions ON predictions.job_id = jobs.id AND predictions.row_no = row_no.row_no
            LEFT JOIN row_errors ON row_errors.job_id = jobs.id AND row_errors.row_no = row_no.row_no
            WHERE (predictions.row_no IS NOT NULL)::int + (row_errors.row_no IS NOT NULL)::int
                <> (state = 'done')::int) AS wrong,
        (SELECT count(*) FROM shards WHERE job_id = jobs.id AND state IN ('pending', 'running')
            AND jobs.finished_at IS NOT NULL) AS open_in_ended
    FROM jobs WHERE purged_at IS NULL
"""


def assert_books_balance(database: Database) -> None:
    """Each row of each job is in one shard; it has one prediction or one error if that is done, else neither."""
    with database.transaction() as tx:
        for total, in_shards, overlaps, wrong, open_in_ended in tx.exec_driver_sql(BOOKS).all():
            assert (in_shards, overlaps, wrong, open_in_ended) == (total, 0, 0, 0)


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

Said = TypeVar("Said")


def while_open(database: Database, first: Callable[[Transaction], object], second: Callable[[], Said]) -> Said:
    """What `second` returns or raises, when it begins after `first` was executed and before that is committed.

    It has then come to its end already, or waits for a lock that `first` holds until its commit.
    """
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as tx:
            first(tx)
            said = pool.submit(second)
            wait_until(lambda: said.done() or waits(database))
        return said.result(timeout=30)


def waits(database: Database) -> bool:
    """Whether somebody waits for a lock."""
    with database.transaction() as tx:
        return bool(tx.exec_driver_sql(WAITING).scalar_one())
