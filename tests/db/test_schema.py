import os
from importlib import resources

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import make_url

from relex.db import ids, job_control, jobs, migrate, model_versions, runs, schema, shards
from relex.db.connection import Database
from relex.db.tables import metadata
from relex.domain.examples import Outcome
from relex.domain.jobs import JobState
from relex.domain.runs import RunState
from relex.errors import RelexError
from relex.labels import RELATIONS
from tests.factories import example, prediction


def test_migrations_make_the_tables_that_the_code_expects(database):
    with database.transaction() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        differences = [each for each in compare_metadata(context, metadata) if "index" not in str(each[0])]
    assert differences == []


def test_a_second_upgrade_finds_nothing_to_do(database):
    migrate.upgrade(database)
    assert schema.found(database) == schema.newest()


def test_tables_of_another_time_are_refused_with_the_remedy(database):
    statement = "UPDATE alembic_version SET version_num = '{}'"
    with database.transaction() as tx:
        tx.exec_driver_sql(statement.format("0000"))
    with pytest.raises(RelexError, match=r"revision 0000.*relex db upgrade"):
        schema.require_newest(database)
    with database.transaction() as tx:
        tx.exec_driver_sql(statement.format(schema.newest()))


def test_a_database_without_tables_is_told_apart(server_url):
    database = Database(server_url)
    with pytest.raises(RelexError, match="relex db upgrade"):
        schema.require_newest(database)
    database.close()


@pytest.fixture
def old_database(server_url, request):
    """A database with the tables of an earlier revision: the test's parameter."""
    name = f"relex_test_{os.getpid()}_{request.param}"
    url = make_url(server_url)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        database = Database(url.set(database=name).render_as_string(hide_password=False))
        config = Config()
        config.set_main_option("script_location", str(resources.files("migrations")))
        with database.transaction() as tx:
            config.attributes["connection"] = tx
            command.upgrade(config, request.param)
        yield database
        database.close()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


OLD_ROWS = f"""
    INSERT INTO runs (id, name, config, folder, state, attempt, finished_at, error, model) VALUES
        ('r-queued', 'tiny', '{{}}', '/', 'queued', 4, NULL, NULL, NULL),
        ('r-failed', 'tiny', '{{}}', '/', 'failed', 1, now(), 'because', NULL),
        ('r-done', 'tiny', '{{}}', '/', 'done', 1, now(), NULL, 'tiny@1');
    INSERT INTO model_versions (model, name, number, labels, digests, current, run_id)
        VALUES ('tiny@1', 'tiny', 1, '{{{",".join(RELATIONS)}}}', '{{"config.json": "0"}}', true, 'r-done');
    INSERT INTO jobs (id, idempotency_key, file_name, file_sha256, model, total, rejected)
        VALUES ('j-old', 'key', 'a.csv', '0', 'tiny@1', 1, 0);
"""


@pytest.mark.parametrize("old_database", ["0001"], indirect=True)
def test_what_was_there_before_a_migration_is_there_after_it(old_database):
    with old_database.transaction() as tx:
        tx.exec_driver_sql(OLD_ROWS)
    migrate.upgrade(old_database)
    with old_database.transaction() as tx:
        found = {run.id: run for run in runs.newest(tx, 9)}
        assert list(found) == ["r-done", "r-failed", "r-queued"]
        assert [found[name].state for name in ("r-queued", "r-failed")] == [RunState.QUEUED, RunState.FAILED]
        assert (found["r-done"].model, found["r-failed"].error) == ("tiny@1", "because")
        version = model_versions.current(tx)
        assert (str(version), version.run_id, version.note) == ("tiny@1", "r-done", None)
        assert jobs.find(tx, "@last").id == "j-old"
        assert runs.recover(tx) == 0
        assert runs.find(tx, "r-queued").state is RunState.QUEUED
        runs.cancel(tx, found["r-queued"])
        assert runs.insert_run(tx, "tiny", {}, "/") == ids.last_id(tx)


ROWS_OF_0002 = f"""
    INSERT INTO model_versions (model, name, number, labels, digests, current, note)
        VALUES ('tiny@1', 'tiny', 1, '{{{",".join(RELATIONS)}}}', '{{"config.json": "0"}}', true, 'a note');
    INSERT INTO jobs (id, idempotency_key, file_name, file_sha256, model, total, rejected)
        VALUES ('j-old', 'key', 'a.csv', '0', 'tiny@1', 2, 0);
    INSERT INTO examples SELECT 'j-old', row_no, 'id', '비틀즈', '비', 0, 1, 'ORG', '즈', 2, 3, 'PER', NULL, NULL
        FROM generate_series(0, 1) AS row_no;
    INSERT INTO shards (job_id, first_row, end_row, state, finished_at, truncated_rows) VALUES
        ('j-old', 0, 1, 'done', now(), 1), ('j-old', 1, 2, 'pending', NULL, 0);
    INSERT INTO predictions VALUES ('j-old', 0, 'no_relation', array_fill(0.5::real, ARRAY[30]), true);
"""


DOUBLE_ROW = """
    UPDATE shards SET end_row = 2 WHERE first_row = 0;
    DELETE FROM shards WHERE first_row = 1;
    INSERT INTO predictions VALUES ('j-old', 1, 'no_relation', array_fill(0.5::real, ARRAY[30]), true);
    INSERT INTO row_errors VALUES ('j-old', 0, 'scoring-failed', 'both');
"""


@pytest.mark.parametrize("old_database", ["0002", "0004"], indirect=True)
def test_of_two_results_of_a_row_the_prediction_wins_and_the_job_closes(old_database):
    with old_database.transaction() as tx:
        tx.exec_driver_sql(ROWS_OF_0002)
        tx.exec_driver_sql(DOUBLE_ROW)
    migrate.upgrade(old_database)
    with old_database.transaction() as tx:
        jobs.close_if_ended(tx, jobs.find(tx, "j-old").id)
        ended = jobs.progress(tx, jobs.find(tx, "j-old"))
    assert (ended.state, ended.done, ended.failed) == (JobState.DONE, 2, 0)


@pytest.mark.parametrize("old_database", ["0002", "0003"], indirect=True)
def test_a_job_of_before_is_an_ordinary_one_and_goes_on(old_database):
    with old_database.transaction() as tx:
        tx.exec_driver_sql(ROWS_OF_0002)
    migrate.upgrade(old_database)
    with old_database.transaction() as tx:
        before = jobs.progress(tx, jobs.find(tx, "j-old"))
        assert (before.done, before.truncated_rows, before.pending_shards) == (1, 1, 1)
        assert (before.job.exact, before.job.fresh) == (False, False)
        assert (before.job.priority, before.job.max_failed, before.state) == (0, None, JobState.RUNNING)
        assert job_control.cancel(tx, before.job.id).unscored == 1
        assert job_control.retry(tx, before.job.id, rows=False).open == 1
        shard = shards.claim(tx, "worker", 60)
        assert (shard.first_row, shard.model, shard.exact, shard.fresh) == (1, "tiny@1", False, False)
        shards.complete(tx, shard, Outcome([prediction(example(1))]))
        jobs.close_if_ended(tx, before.job.id)
        assert (jobs.progress(tx, before.job).done, jobs.progress(tx, before.job).reused) == (2, 0)
