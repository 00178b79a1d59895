"""The roles of workers and clients on a real Postgres: each does its work, and neither can alter what it works with."""

import os

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from relex.db import jobs, model_versions, runs
from relex.db.connection import Database
from relex.db.grants import PRIVILEGES, SEQUENCES, Part
from relex.db.tables import metadata
from relex.domain.versions import Scores
from relex.errors import InvalidInput, RelexError
from relex.files.reviews import ReviewFormat
from relex.flows.database import grant_privileges
from relex.flows.export import export
from relex.flows.labels import read_labels
from relex.flows.lease import LeaseTerms
from relex.flows.review import review
from relex.flows.score import Worker, score_next
from relex.flows.status import job_status, labeled_scores
from relex.flows.sweep import sweep
from relex.labels import RELATIONS
from relex.registry.model_versions import SHIPPED
from tests.command_line import run_command
from tests.factories import FakeScorer, make_job, register_model, submit_file
from tests.processes import ROOT, environment
from tests.reviewed import finished_job

PASSWORD = "for-tests-only"
DDL = [
    "CREATE TABLE mine (x int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE jobs ADD COLUMN x int",
    "ALTER TABLE jobs DISABLE TRIGGER ALL",
    "DROP TABLE predictions",
    "DROP INDEX jobs_open",
    "TRUNCATE predictions",
    "CREATE INDEX ON jobs (total)",
    "CREATE TRIGGER t BEFORE INSERT ON jobs EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "ALTER SEQUENCE fencing_tokens RESTART",
    "SELECT setval('fencing_tokens', 1)",
    "UPDATE alembic_version SET version_num = '0'",
    "COPY jobs TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/passwd')",
]
WRITES = {
    Part.CLIENT: [
        "INSERT INTO predictions VALUES ('j', 0, 'x', '{}', false)",
        "UPDATE predictions SET label = 'x'",
        "DELETE FROM predictions",
        "INSERT INTO model_versions (model, name, number, labels, digests) VALUES ('x@1', 'x', 1, '{}', '{}')",
        "UPDATE model_versions SET current = true",
        "UPDATE model_versions SET digests = '{}'",
        "DELETE FROM jobs",
        "UPDATE examples SET sentence = ''",
    ],
    Part.WORKER: [
        "INSERT INTO examples (job_id, row_no) VALUES ('j', 0)",
        "UPDATE examples SET sentence = ''",
        "DELETE FROM jobs",
        "UPDATE predictions SET label = 'x'",
        "INSERT INTO jobs (id) VALUES ('j')",
        "INSERT INTO runs (id) VALUES ('r')",
    ],
}


@pytest.fixture
def roles(database, database_url):
    """A role for each part: its URL, for workers and clients of the test's database."""
    names = {part: f"relex_test_{os.getpid()}_{part}" for part in Part}
    made = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(made, autocommit=True) as connection:
        for name in names.values():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), PASSWORD))
        try:
            for part, name in names.items():
                grant_privileges(database, part, name)
            yield {
                part: make_url(database_url).set(username=name, password=PASSWORD).render_as_string(hide_password=False)
                for part, name in names.items()
            }
        finally:
            for name in names.values():
                connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.fixture
def databases(roles):
    opened = {part: Database(url) for part, url in roles.items()}
    yield opened
    for each in opened.values():
        each.close()


def test_every_table_and_sequence_is_thought_of():
    for privileges in PRIVILEGES.values():
        assert privileges.keys() == {*metadata.tables, "alembic_version"}
    assert set(SEQUENCES) == set(metadata._sequences)


@pytest.mark.parametrize(
    ("part", "statement"),
    [(part, each) for part in Part for each in DDL + WRITES[part]],
)
def test_a_role_cannot(databases, part, statement):
    with (
        pytest.raises(RelexError, match=r"(permission denied|must be owner|must be superuser).*their owner grants"),
        databases[part].transaction() as tx,
    ):
        tx.exec_driver_sql(statement)


def test_a_client_submits_a_worker_scores_and_the_client_exports(databases, database, tmp_path):
    client, worker = databases[Part.CLIENT], databases[Part.WORKER]
    register_model(database)
    path = ROOT / "data" / "test_data.csv"
    done = submit_file(client, path, shard_rows=16)
    assert sweep(client).shards == 4
    assert sweep(worker).shards == 4
    terms = LeaseTerms(30, 300, lambda: False)
    while score_next(worker, Worker("w", lambda *_: FakeScorer(), terms)):
        pass
    sweep(worker)
    assert export(client, done.job_id, tmp_path).rows == 60


def test_a_shard_that_kills_workers_is_halved_and_its_row_recorded_by_either(databases, database):
    job = make_job(database, rows=4, shard_rows=2)
    for part in (Part.CLIENT, Part.WORKER):
        with database.transaction() as tx:
            tx.exec_driver_sql(
                "UPDATE shards SET state = 'running', crashes = 2, lease_until = '-infinity' WHERE first_row = %s",
                (0 if part is Part.CLIENT else 2,),
            )
        for _ in range(3):
            sweep(databases[part])
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM shards WHERE job_id = %s", (job.id,)).scalar() > 2


def test_a_client_reviews_a_job_and_labels_its_rows_twice(databases, database, tmp_path):
    job, *_ = finished_job(database)
    client = databases[Part.CLIENT]
    review(client, job, tmp_path / "review.csv", 20, ReviewFormat.CSV)
    for label in ("per:title", "per:spouse"):
        text = f"job,row_no,answer\n{job},0,{label}\n"
        (tmp_path / f"{label[4:]}.csv").write_text(text, "utf-8")
        assert read_labels(client, [tmp_path / f"{label[4:]}.csv"], tmp_path / f"{label[4:]}.train.csv").labels == 1
    assert labeled_scores(client, job_status(client, job)).rows == 1


def test_commands_of_a_client(roles, database, tmp_path):
    env = environment(database_url=roles[Part.CLIENT], home=tmp_path / "home", broker_url="redis://127.0.0.1:9/0")
    register_model(database)
    job = make_job(database)
    for words in (
        ["status", job.id],
        ["jobs"],
        ["runs"],
        ["models"],
        ["train", "--config", "scratch"],
        ["cancel", "@last"],
        ["cancel", job.id],
    ):
        done = run_command(*words, env=env, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    for words in (
        ["db", "upgrade"],
        ["models", "promote", "fake@1"],
        ["models", "import", str(SHIPPED / "starter")],
        ["purge", "--older-than", "0d", "--yes"],
    ):
        done = run_command(*words, env=env, cwd=ROOT)
        assert done.returncode == 1
        assert "permission denied" in done.stderr
        assert "Traceback" not in done.stderr
    with database.transaction() as tx:
        assert jobs.find(tx, job.id).id == job.id  # not hidden by a purge that could not delete it


def test_scores_are_remembered_by_a_client_and_versions_registered_by_a_worker(databases, database):
    register_model(database)
    with databases[Part.CLIENT].transaction() as tx:
        model_versions.add_scores(tx, model_versions.find(tx, "fake@1"), Scores("0" * 64, 10, 50.0, 50.0))
    with databases[Part.WORKER].transaction() as tx:
        version = model_versions.register(tx, "fake", RELATIONS, {"config.json": "other"})
        model_versions.promote(tx, version)
        assert (str(version), str(model_versions.current(tx))) == ("fake@2", "fake@2")


def test_a_run_is_queued_by_a_client_and_executed_by_a_worker(databases):
    with databases[Part.CLIENT].transaction() as tx:
        runs.insert_run(tx, "tiny", {}, "/")
    with databases[Part.WORKER].transaction() as tx:
        assert runs.claim(tx, "worker", 30).name == "tiny"


def test_privileges_are_revoked_as_well_as_granted(databases, database, roles):
    role = make_url(roles[Part.CLIENT]).username
    with database.transaction() as tx:
        tx.exec_driver_sql(f"GRANT ALL ON predictions TO {role}")
    grant_privileges(database, Part.CLIENT, role)
    with (
        pytest.raises(RelexError, match="permission denied for table predictions"),
        databases[Part.CLIENT].transaction() as tx,
    ):
        tx.exec_driver_sql("DELETE FROM predictions")


@pytest.mark.parametrize("role", ["nobody-of-this-name", "x; DROP TABLE jobs", ""])
def test_a_role_that_is_not_there_is_reported(database, role):
    with pytest.raises(InvalidInput, match="has no role"):
        grant_privileges(database, Part.CLIENT, role)


def test_the_owner_is_not_made_less(database, database_url):
    with pytest.raises(InvalidInput, match="a role of its own"):
        grant_privileges(database, Part.WORKER, make_url(database_url).username)


def test_only_the_owner_grants(databases, database_url):
    with pytest.raises(RelexError, match=f"only the owner of the tables, {make_url(database_url).username}, can grant"):
        grant_privileges(databases[Part.WORKER], Part.CLIENT, "nobody_in_particular")


def test_a_schema_where_everybody_may_make_tables_is_reported(database, roles):
    with database.transaction() as tx:
        tx.exec_driver_sql("GRANT CREATE ON SCHEMA public TO PUBLIC")
    try:
        with pytest.raises(RelexError, match="REVOKE CREATE ON SCHEMA public FROM PUBLIC"):
            grant_privileges(database, Part.CLIENT, make_url(roles[Part.CLIENT]).username)
    finally:
        with database.transaction() as tx:
            tx.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def test_the_command_grants(roles, database, database_url, tmp_path):
    names = {part: make_url(url).username for part, url in roles.items()}
    with database.transaction() as tx:
        for name in names.values():
            tx.exec_driver_sql(f"REVOKE ALL ON jobs FROM {name}")
    options = [word for part, name in names.items() for word in (f"--{part}", name)]
    done = run_command("db", "upgrade", *options, env=environment(database_url=database_url, home=tmp_path), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    with database.transaction() as tx:
        for name in names.values():
            assert tx.exec_driver_sql("SELECT has_table_privilege(%s, 'jobs', 'SELECT')", (name,)).scalar()
