"""Upgrades from every earlier version, with rows in every table: nothing is lost, and what was open goes on."""

import os
import threading

import psycopg
import pytest
from sqlalchemy import make_url

from relex.db import examples, jobs, migrate, model_versions, schema
from relex.db.connection import Database
from relex.domain.jobs import JobState
from relex.errors import RelexError
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.flows.sweep import sweep
from tests.command_line import run_command
from tests.db.versions import REVISIONS, contents, fill, lost, migrate_to
from tests.factories import FakeScorer
from tests.processes import environment, relex, wait_until


@pytest.fixture
def empty_database(server_url):
    """A database without tables, and what asks its server."""
    name = f"relex_test_{os.getpid()}_version"
    url = make_url(server_url)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        database = Database(url.set(database=name).render_as_string(hide_password=False))
        yield database
        database.close()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=REVISIONS)
def old(request, empty_database):
    """A database of an earlier version (the newest is among them), with rows in every table."""
    migrate_to(empty_database, request.param)
    fill(empty_database, request.param)
    return empty_database, request.param


def test_no_row_and_no_value_is_lost_and_a_second_upgrade_changes_nothing(old):
    database, revision = old
    before = contents(database)
    assert all(before.values()), "a table without rows proves nothing: add some to tests/db/versions.py"
    migrate.upgrade(database)
    after = contents(database)
    assert lost(before, after, revision) == []
    assert {table: len(rows) for table, rows in before.items()}.items() <= {
        table: len(rows) for table, rows in after.items()
    }.items()
    migrate.upgrade(database)
    assert (schema.found(database), contents(database)) == (schema.newest(), after)


def test_what_was_open_is_scored_to_its_end(old):
    database, _ = old
    migrate.upgrade(database)
    sweep(database)
    worker = Worker("new", lambda *_: FakeScorer(), LeaseTerms(60, 60, lambda: False))
    while score_next(database, worker):
        pass
    with database.transaction() as tx:
        found = {
            name: jobs.progress(tx, jobs.find(tx, f"j-{name}")) for name in ("done", "failed", "cancelled", "open")
        }
        assert len(b"".join(map(bytes, examples.copy_out(tx, "j-open"))).splitlines()) == 6
        assert str(model_versions.current(tx)) == "fake@2"
    assert {name: each.state for name, each in found.items()} == {
        "done": JobState.DONE,
        "failed": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
        "open": JobState.DONE,
    }
    assert [(found[name].done, found[name].failed) for name in ("open", "done")] == [(6, 0), (2, 1)]


def test_an_upgrade_waits_for_the_one_that_is_under_way(old):
    database, _ = old
    with database.transaction() as first:
        first.execute(migrate.LOCK)
        second = threading.Thread(target=migrate.upgrade, args=(database,))
        second.start()
        wait_until(lambda: _waiting(first) == 1)
        assert second.is_alive()
    second.join(60)
    assert schema.found(database) == schema.newest()


def _waiting(tx):
    return tx.exec_driver_sql(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ).scalar()


def test_two_commands_at_once_both_end_well(empty_database, tmp_path):
    migrate_to(empty_database, REVISIONS[0])
    fill(empty_database, REVISIONS[0])
    env = environment(database_url=empty_database.url, home=tmp_path / "home")
    ended = []

    def upgrade():
        ended.append(relex("db", "upgrade", env=env, cwd=tmp_path))

    both = [threading.Thread(target=upgrade) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [each.returncode for each in ended] == [0, 0], [each.stderr for each in ended]
    assert schema.found(empty_database) == schema.newest()


def test_tables_of_a_newer_relex_are_left_alone(empty_database, tmp_path):
    migrate.upgrade(empty_database)
    with empty_database.transaction() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for refuse in (migrate.upgrade, schema.require_newest):
        with pytest.raises(RelexError, match=r"revision 9999.*newer relex.*update relex here"):
            refuse(empty_database)
    done = run_command("db", "upgrade", env=environment(database_url=empty_database.url, home=tmp_path), cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
