"""Deleting jobs that ended long ago: which, in which steps, and what an export beside it still sees."""

from datetime import timedelta

import pytest

from relex.db import deletion, ids, jobs, results, row_labels, shards
from relex.db.row_labels import RowLabel
from relex.domain.examples import Outcome, RowError
from relex.domain.jobs import NewJob
from relex.errors import DatabaseUnreachable, NotFound
from relex.flows import control
from relex.flows import purge as flow
from relex.flows.purge import purge, to_purge
from tests.factories import example, make_job, prediction

MONTH = timedelta(days=30)


def ended(database, key, days, rows=10):
    """A job that is done, as if so many days ago."""
    job = make_job(database, rows, shard_rows=4, key=key)
    with database.transaction() as tx:
        while shard := shards.claim(tx, "worker", 60):
            scored = [prediction(example(n)) for n in range(shard.first_row, shard.end_row - 1)]
            shards.complete(tx, shard, Outcome(scored, [RowError(shard.end_row - 1, "bad", "bad")]))
        jobs.close_if_ended(tx, job.id)
        row_labels.record(tx, job.id, [RowLabel(0, "no_relation")])
        tx.exec_driver_sql("UPDATE jobs SET finished_at = now() - %s WHERE id = %s", (timedelta(days=days), job.id))
    return job


def rows_of(database, job):
    """How many rows of all tables are a job's."""
    with database.transaction() as tx:
        tables = ("examples", "predictions", "row_errors", "row_labels", "shards")
        counts = [tx.exec_driver_sql(f"SELECT count(*) FROM {each} WHERE job_id = %s", (job.id,)) for each in tables]
        return sum(count.scalar_one() for count in counts)


def test_only_what_ended_long_ago_is_deleted_and_the_dry_run_says_the_same(database):
    old, young = ended(database, "old", days=31), ended(database, "young", days=29)
    unended = make_job(database, key="unended")
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET created_at = now() - interval '1 year'")
    assert [job.id for job in to_purge(database, MONTH)] == [old.id]
    assert rows_of(database, old) == 24
    report = []
    assert purge(database, MONTH, report.append) == 1
    assert [job.id for job in report] == [old.id]
    assert (rows_of(database, old), rows_of(database, young)) == (0, 24)
    with database.transaction() as tx:
        assert {job.id for job in jobs.newest(tx, 9)} == {young.id, unended.id}
    assert purge(database, MONTH, report.append) == 0


def test_a_purged_job_is_found_by_nobody_from_the_first_moment_on(database):
    kept, job = ended(database, "kept", days=1), ended(database, "old", days=31)
    with database.transaction() as tx:
        assert deletion.mark(tx, jobs.find(tx, job.id), MONTH)
    with database.transaction() as tx:
        for given in (job.id, job.id[:6]):
            with pytest.raises(NotFound):
                jobs.find(tx, given)
        assert jobs.find(tx, "@last").id == ids.last_id(tx) == kept.id
        assert [each.id for each in jobs.newest(tx, 9)] == [kept.id]
        assert jobs.with_key(tx, "old") is None
        assert jobs.insert_job(tx, NewJob("old", "a.csv", "0" * 64, job.model, 1, 0)) is not None


def test_a_purge_that_was_killed_is_finished_by_the_next(database, monkeypatch):
    job = ended(database, "old", days=31)
    real, steps = deletion.delete_rows, []

    def killed(tx, job, first_row, end_row):
        if steps:
            raise DatabaseUnreachable("gone")
        steps.append(first_row)
        real(tx, job, first_row, end_row)

    monkeypatch.setattr(flow.deletion, "delete_rows", killed)
    with pytest.raises(DatabaseUnreachable):
        purge(database, MONTH, lambda _: None, step_rows=4)
    assert 0 < rows_of(database, job) < 24
    monkeypatch.undo()
    assert purge(database, MONTH, lambda _: None, step_rows=4) == 1
    assert rows_of(database, job) == 0


def test_no_step_deletes_more_rows_than_it_may(database):
    job = ended(database, "old", days=31)
    with database.transaction() as tx:
        found = jobs.find(tx, job.id)
        deletion.mark(tx, found, MONTH)
        deletion.delete_rows(tx, found, 0, 4)
    assert rows_of(database, job) == 24 - 4 - 4 - 1


def test_an_export_that_has_begun_reads_all_rows_of_its_moment(database):
    job = ended(database, "old", days=31)
    with database.transaction(snapshot=True) as tx:
        before = jobs.progress(tx, jobs.find(tx, job.id))
        purge(database, MONTH, lambda _: None, step_rows=4)
        lines = b"".join(map(bytes, results.copy_csv(tx, job.id))).splitlines()
        assert (len(lines), len(list(results.errors_of(tx, job.id)))) == (before.done - before.failed, before.failed)
        assert before.failed == 3
    with database.transaction() as tx, pytest.raises(NotFound):
        jobs.find(tx, job.id)


def test_a_cancelled_job_ages_from_its_cancelling(database):
    job = make_job(database)
    with database.transaction() as tx:
        control.cancel_job(tx, job.id)
    assert to_purge(database, timedelta(minutes=1)) == []
    assert [each.id for each in to_purge(database, timedelta(0))] == [job.id]
