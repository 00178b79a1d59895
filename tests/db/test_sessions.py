"""Sessions of Postgres that are set up for somebody else: relex reads and writes the same bytes in all of them."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.pq import Conninfo
from sqlalchemy import make_url

from relex.db import jobs, results
from relex.db.connection import VALUE_FORMATS, Database
from relex.embedded.users import use
from relex.environment import isolate
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from tests.factories import FakeScorer, make_job
from tests.own_services import free_port
from tests.processes import wait_until

DEFAULTS = {
    "client_encoding": "LATIN1",
    "extra_float_digits": "-10",
    "DateStyle": "German",
    "IntervalStyle": "iso_8601",
    "TimeZone": "<+0330>-03:30",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "default_transaction_isolation": "serializable",
    "idle_in_transaction_session_timeout": "0",
}


def score_all(database):
    worker = Worker("host:1", lambda *_: FakeScorer(), LeaseTerms(60, 60, lambda: False))
    while score_next(database, worker):
        pass


def exported(database, job):
    with database.transaction() as tx:
        progress = jobs.progress(tx, jobs.find(tx, job.id))
        assert (progress.done, progress.since.tzinfo) != (0, None)
        return b"".join(map(bytes, results.copy_csv(tx, job.id)))


@pytest.mark.parametrize("snapshot", [False, True])
def test_defaults_of_a_role_and_a_database_change_no_byte(database, snapshot):
    job = make_job(database)
    score_all(database)
    before = exported(database, job)
    name = make_url(database.url).database
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        for setting, value in DEFAULTS.items():
            connection.execute(f"ALTER DATABASE {name} SET \"{setting}\" = '{value}'")
    other = Database(database.url)
    try:
        assert exported(other, job) == before
        with other.transaction(snapshot=snapshot) as tx:
            for setting, value in (VALUE_FORMATS | {"client_encoding": "UTF8"}).items():
                assert tx.exec_driver_sql(f"SHOW {setting}").scalar() == value
            isolation = tx.exec_driver_sql("SHOW transaction_isolation").scalar()
            assert isolation == ("repeatable read" if snapshot else "read committed")
    finally:
        other.close()
        with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} RESET ALL")


HOSTILE = {
    "PGHOST": "other.invalid",
    "PGHOSTADDR": "127.0.0.9",
    "PGPORT": "1",
    "PGUSER": "somebody",
    "PGDATABASE": "elsewhere",
    "PGSERVICE": "none",
    "PGOPTIONS": "-c no.such=1 -c broken",
    "PGCLIENTENCODING": "LATIN1",
    "PGSSLMODE": "verify-full",
    "PGGSSENCMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGREQUIREPEER": "somebody",
    "PGTARGETSESSIONATTRS": "standby",
}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    with use(tmp_path_factory.mktemp("embedded") / "home") as url:
        yield url


@pytest.mark.parametrize("name", sorted(each.envvar.decode() for each in Conninfo.get_defaults() if each.envvar))
def test_no_variable_of_libpq_reaches_the_embedded_postgres(embedded, monkeypatch, name):
    environ = {name: HOSTILE.get(name, "nonsense")}
    isolate(environ)
    for variable in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(variable)
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    database = Database(embedded)
    with database.transaction() as tx:
        host, encoding = tx.exec_driver_sql("SELECT inet_server_addr(), current_setting('client_encoding')").one()
    database.close()
    assert (host, encoding) == (None, "UTF8")


@contextmanager
def pgbouncer(url, folder, mode):
    """The URL of a PgBouncer as a package installs it, before the Postgres of this URL, with two sessions there."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("no pgbouncer is installed here")
    parts, port = make_url(url), free_port()
    server = f"host={parts.host} port={parts.port or 5432} dbname={parts.database} user={parts.username}"
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\nrelex = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = 2\nmax_client_conn = 50\n"
    )
    folder.chmod(0o755)
    command = [program, *(["--user", "nobody"] if os.geteuid() == 0 else []), str(folder / "pgbouncer.ini")]
    with (folder / "pgbouncer.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        through = f"postgresql://{parts.username}@127.0.0.1:{port}/relex"
        try:
            wait_until(lambda: connects(through))
            yield through
        finally:
            process.terminate()


def connects(url):
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pgbouncer_as_it_comes(database, tmp_path, mode):
    """Two clients in turn on sessions that are lent to either, often enough for the driver to prepare a statement."""
    with pgbouncer(database.url, tmp_path, mode) as url:
        clients = [Database(url), Database(url)]
        job = make_job(clients[0], rows=40, shard_rows=2)
        for turn in range(20):
            client = clients[turn % 2]
            score_next(client, Worker("host:1", lambda *_: FakeScorer(), LeaseTerms(60, 60, lambda: False)))
            with client.transaction() as tx:
                assert tx.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "1min"
        assert exported(clients[1], job) == exported(database, job)
        assert exported(database, job).count(b"\n") >= 40
        for client in clients:
            client.close()
