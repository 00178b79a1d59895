"""Hints about workers and tables: see `trying.py` for how an entry is made."""

import os
import shlex
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from relex.embedded.locks import is_free
from relex.hints import jobs as hints
from tests.hints.trying import Became, provokes, typed
from tests.processes import relex, started, wait_until


@contextmanager
def process(person, words):
    """A command that does not end by itself, as a process of its own."""
    with started(*words[1:], env=dict(os.environ), log=person.folder / "log") as running:
        yield running


@provokes(hints.start_worker)
def of_a_job_that_no_worker_scores(person):
    job = person.job()
    said = person.types("relex", "status")
    assert said.shows(hints.start_worker())
    (words,) = typed(hints.start_worker(), said)
    with process(person, words):
        wait_until(lambda: person.state(job) == "done")


@provokes(hints.wait_for_background)
def of_a_job_that_nobody_scores_on_a_laptop(person):
    person.patch.delenv("RELEX_BROKER_URL")
    job = person.job()
    said = relex("status", env=dict(os.environ), cwd=person.folder).stdout
    hint = hints.wait_for_background(job)
    assert hint in said
    (words,) = typed(hint, said)
    assert "10 / 10 rows   100%" in relex(*words[1:], env=dict(os.environ), cwd=person.folder).stdout
    wait_until(lambda: all(is_free(lock) for lock in Path(os.environ["RELEX_HOME"]).glob("*-?.lock")))


@provokes(hints.write_health)
def of_a_probe_without_a_file(person):
    said = person.types("relex", "health", code=3)
    hint = hints.write_health(Path(os.environ["RELEX_HOME"]) / "health")
    assert said.shows(hint)
    worker, probe = typed(hint, said)
    with process(person, worker):
        wait_until((Path(os.environ["RELEX_HOME"]) / "health").exists)
        person.types(*probe)


@provokes(hints.queues)
def of_a_queue_that_is_none(person):
    person.patch.setenv("RELEX_BROKER_URL", "")
    said = person.types("relex", "worker", "--queues", "scores", code=2)
    assert said.shows(hints.queues())
    with pytest.raises(Became, match=r"worker\.local"):
        person.follows(said, hints.queues())


@provokes(hints.one_process)
def of_several_processes_without_a_broker(person):
    person.patch.setenv("RELEX_BROKER_URL", "")
    said = person.types("relex", "worker", "--concurrency", "2", code=3)
    assert said.shows(hints.one_process())
    with pytest.raises(Became, match=r"worker\.local"):
        person.follows(said, hints.one_process())


@provokes(hints.upgrade_tables)
def of_a_database_without_tables(person):
    url = make_url(person.database.url)
    name = f"relex_hints_{os.getpid()}"
    server = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            person.patch.setenv("RELEX_DATABASE_URL", url.set(database=name).render_as_string(hide_password=False))
            person.follows(person.types("relex", "jobs", code=1), hints.upgrade_tables())
            person.types("relex", "jobs")
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@provokes(hints.update_relex)
def of_tables_that_a_newer_relex_made(person):
    with person.database.transaction() as tx:
        newest = tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        for words in (("jobs",), ("db", "upgrade")):
            assert person.types("relex", *words, code=1).shows(hints.update_relex())
    finally:
        with person.database.transaction() as tx:
            tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{newest}'")
    assert "`" not in hints.update_relex()  # PyPI's relex is another program: no command is safe to advise


@provokes(hints.UPGRADE)
def of_a_command_where_nobody_upgraded(person):
    """The command that the two hints above name, and doctor too."""
    with person.database.transaction() as tx:
        tx.exec_driver_sql("ALTER TABLE alembic_version RENAME TO elsewhere")
    try:
        said = person.types("relex", "doctor", code=1)
        assert said.shows(hints.UPGRADE)
    finally:
        with person.database.transaction() as tx:
            tx.exec_driver_sql("ALTER TABLE elsewhere RENAME TO alembic_version")
    person.types(*shlex.split(hints.UPGRADE))


@provokes(hints.grant_privileges)
def of_a_role_without_rights(person):
    role = f"relex_hints_{os.getpid()}"
    owner = person.database.url
    with person.database.transaction() as tx:
        tx.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        tx.exec_driver_sql(f"GRANT SELECT ON alembic_version TO {role}")
    try:
        url = make_url(owner).set(username=role, drivername="postgresql")
        person.patch.setenv("RELEX_DATABASE_URL", url.render_as_string(hide_password=False))
        said = person.types("relex", "jobs", code=1)
        (shown,) = person.follows(said, hints.grant_privileges())
        assert shown.shows("--client")
        person.patch.setenv("RELEX_DATABASE_URL", owner)
        person.types("relex", "db", "upgrade", "--client", role)
        person.patch.setenv("RELEX_DATABASE_URL", url.render_as_string(hide_password=False))
        person.types(*said.words)
    finally:
        with person.database.transaction() as tx:
            tx.exec_driver_sql(f"DROP OWNED BY {role}")
            tx.exec_driver_sql(f"DROP ROLE {role}")


@provokes(hints.show_help)
def of_an_option_that_is_none(person):
    said = person.types("relex", "submit", "--modle", "fake", "data/test_data.csv", code=2)
    assert said.err.startswith("error: no such option")
    (shown,) = person.follows(said, f"hint: {hints.show_help('relex submit')}")
    assert shown.shows("--model NAME[@N]")


@provokes(hints.show_help)
def of_a_command_that_is_none(person):
    said = person.types("relex", "sumbit", code=2)
    assert "(did you mean submit?)" in said.err
    (shown,) = person.follows(said, f"hint: {hints.show_help('relex')}")
    assert shown.shows("submit ")
