"""Steps of a job in one transaction each, as workers and commands take them."""

from relex.db import jobs, results, shards
from relex.domain.examples import Outcome, RowError
from tests.factories import example, prediction


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
