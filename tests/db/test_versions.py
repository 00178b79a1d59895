"""Creating the tables, and refusing tables of a revision that this relex does not know."""

import json
import os
import threading
from importlib import resources

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import make_url

from relex.db import migrate, model_versions, schema
from relex.db.connection import Database
from relex.db.tables import metadata
from relex.domain.versions import TrainingFile
from relex.errors import RelexError
from relex.flows.database import require_latest_revision, upgrade_tables
from relex.labels import RELATIONS
from tests.command_line import run_command
from tests.processes import environment, relex, wait_until


@pytest.fixture
def empty_database(server_url):
    """A database without tables."""
    name = f"relex_test_{os.getpid()}_version"
    url = make_url(server_url)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        database = Database(url.set(database=name).render_as_string(hide_password=False))
        yield database
        database.close()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_an_empty_database_is_brought_up(empty_database):
    assert schema.current_revision(empty_database) is None
    with pytest.raises(RelexError, match=r"revision none, this relex needs 0006; `relex db upgrade`"):
        require_latest_revision(empty_database)
    migrate.upgrade(empty_database)
    require_latest_revision(empty_database)


def test_training_files_keep_the_encoding_that_an_earlier_relex_recorded(empty_database):
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations")))
    earlier = [
        {"name": "a.csv", "sha256": "0", "path": "/a.csv", "encoding": "cp949"},
        {"name": "b.csv", "sha256": "1"},
    ]
    with empty_database.transaction() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, "0001")
        columns = "model, name, number, labels, digests, trained_on"
        insert = f"INSERT INTO model_versions ({columns}) VALUES (%s, %s, 1, %s, '{{}}', %s)"
        for name, files in (("old", earlier), ("none", []), ("unknown", None)):
            values = (f"{name}@1", name, list(RELATIONS), None if files is None else json.dumps(files))
            tx.exec_driver_sql(insert, values)
    migrate.upgrade(empty_database)
    with empty_database.transaction() as tx:
        read = {name: model_versions.find(tx, name).trained_on for name in ("old", "none", "unknown")}
    assert read == {
        "old": (
            TrainingFile("a.csv", "0", "/a.csv", {"encoding": "cp949"}),
            TrainingFile("b.csv", "1"),
        ),
        "none": (),
        "unknown": None,
    }


def test_an_upgrade_waits_for_the_one_that_is_under_way(empty_database):
    with empty_database.transaction() as first:
        first.execute(migrate.LOCK)
        second = threading.Thread(target=migrate.upgrade, args=(empty_database,))
        second.start()
        wait_until(lambda: _waiting(first) == 1)
        assert second.is_alive()
    second.join(60)
    assert schema.current_revision(empty_database) == schema.latest_revision()


def _waiting(tx):
    return tx.exec_driver_sql(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).scalar()


def test_two_upgrade_commands_at_once_both_succeed(empty_database, tmp_path):
    env = environment(database_url=empty_database.url, home=tmp_path / "home")
    results = []

    def upgrade():
        results.append(relex("db", "upgrade", env=env, cwd=tmp_path))

    both = [threading.Thread(target=upgrade) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [each.returncode for each in results] == [0, 0], [each.stderr for each in results]
    assert schema.current_revision(empty_database) == schema.latest_revision()


@pytest.mark.parametrize("revision", ["0000", "0007", "9999"])
def test_tables_of_an_unknown_revision_are_refused_and_left_alone(empty_database, tmp_path, revision):
    migrate.upgrade(empty_database)
    with empty_database.transaction() as tx:
        tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    message = rf"revision {revision}, which this relex does not know.*update relex here.*or use an empty database"
    for refuse in (upgrade_tables, require_latest_revision):
        with pytest.raises(RelexError, match=message):
            refuse(empty_database)
    result = run_command("db", "upgrade", env=environment(database_url=empty_database.url, home=tmp_path), cwd=tmp_path)
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    assert schema.current_revision(empty_database) == revision


def test_migrations_make_the_tables_that_the_code_expects(database):
    with database.transaction() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        differences = [each for each in compare_metadata(context, metadata) if "index" not in str(each[0])]
    assert differences == []


def test_a_second_upgrade_finds_nothing_to_do(database):
    migrate.upgrade(database)
    assert schema.current_revision(database) == schema.latest_revision()
