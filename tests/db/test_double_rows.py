"""A row has a prediction or a row error, never both: relex records one of them, and Postgres refuses the other."""

from dataclasses import replace

import pytest
from psycopg import errors

from relex.db import examples, jobs, results, shards
from relex.db.connection import driver
from relex.domain.examples import Outcome, RowError
from relex.domain.jobs import JobState, NewJob
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from tests.factories import FakeScorer, example, make_job, prediction, register_model, without_cells
from tests.job_steps import assert_books_balance


class Passing(FakeScorer):
    """Raises for a batch with a row of `bad`, so many times: an error that passes."""

    def __init__(self, bad, times):
        super().__init__()
        self._left = dict.fromkeys(bad, times)

    def score(self, examples):
        for item in examples:
            if self._left.get(item.row_no, 0):
                self._left[item.row_no] -= 1
                raise ValueError("an error that passes")
        yield from super().score(examples)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("times", [1, 2, 3, 5])
@pytest.mark.parametrize("bad", [(0,), (3,), (0, 3), (0, 1, 2, 3)], ids=str)
def test_an_error_that_passes_on_equal_rows_leaves_each_row_one_result(database, bad, times, fresh):
    model = register_model(database)
    items = [replace(example(0), row_no=row_no, id=f"id-{row_no}") for row_no in range(4)] + [example(4), example(5)]
    with database.transaction() as tx:
        job_id = jobs.insert_job(tx, NewJob("key", "a.csv", "0" * 64, model, len(items), 0, fresh=fresh))
        examples.copy_in(tx, job_id, without_cells(items))
        shards.create_shards(tx, job_id, len(items), 8)
    scorer = Passing(bad, times)
    assert score_next(database, Worker("me", lambda *_: scorer, LeaseTerms(60, 60, lambda: False)))
    assert_books_balance(database)
    with database.transaction() as tx:
        progress = jobs.progress(tx, jobs.find(tx, job_id))
        ids = [id_ for id_, *_ in results.errors_of(tx, job_id)]
    assert (progress.state, progress.done, len(ids)) == (JobState.DONE, 6, progress.failed)
    assert not set(ids) & {"id-4", "id-5"}


@pytest.mark.parametrize("first", ["prediction", "error"])
def test_postgres_refuses_both_results_of_a_row(database, first):
    job = make_job(database, rows=4)
    with database.transaction() as tx:
        shard = shards.claim(tx, "worker", 60)
    error = RowError(2, "scoring-failed", "why")
    both = [prediction(example(row_no)) for row_no in range(4)]
    refused = pytest.raises(Exception, match=f"row 2 of {job.id} would have a prediction and a row error")
    with refused, database.transaction() as tx:
        if first == "error":
            tx.exec_driver_sql("INSERT INTO row_errors VALUES (%s, 2, 'code', 'why')", (job.id,))
            shards.complete(tx, shard, Outcome(both))
        else:
            shards.complete(tx, shard, Outcome(both, [error]))
    with database.transaction() as tx:
        shards.complete(tx, shard, Outcome([*both[:2], both[3]], [error]))
    assert_books_balance(database)


def test_a_dump_is_restored_without_a_search_path(database):
    job = make_job(database, rows=4)
    with database.transaction() as tx:
        tx.exec_driver_sql("SET LOCAL search_path = ''")
        tx.exec_driver_sql("INSERT INTO public.row_errors VALUES (%s, 2, 'code', 'why')", (job.id,))
        with pytest.raises(errors.IntegrityConstraintViolation), driver(tx).cursor() as cursor:
            cursor.execute(
                "INSERT INTO public.predictions VALUES (%s, 2, 'no_relation', array_fill(0::real, '{30}'), false)",
                (job.id,),
            )
        tx.rollback()
