"""`relex doctor`, each breakage really caused: what is told, and the command that mends it."""

import json
import time

import psycopg
import pytest
from sqlalchemy import make_url

from relex.db.connection import WORKER, Database
from relex.errors import BadCheckpoint
from relex.flows import models
from relex.flows.doctor import examine
from relex.flows.findings import machine
from relex.flows.findings.broker import broker
from relex.flows.findings.finding import State
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.settings import Settings
from tests.db.own_services import FEW, PASSWORD, crowd, fill, own_postgres, own_redis, small_disk
from tests.making import make_job, register_model
from tests.processes import environment, relex


@pytest.fixture(scope="module")
def strict_url(tmp_path_factory):
    """A Postgres of this module's own, which asks for a password."""
    with own_postgres(tmp_path_factory.mktemp("strict") / "home") as url:
        yield url


def url_with(url, **changes):
    return make_url(url).set(**changes).render_as_string(hide_password=False)


@pytest.fixture
def look(tmp_path):
    """The findings that are not ok, by name; nothing tells the password."""

    def found(*, clock=time.time, **settings):
        findings = list(examine(Settings(**{"home": tmp_path / "home", "device": "cpu"} | settings), clock))
        assert PASSWORD not in str(findings)
        return {finding.name: finding for finding in findings if finding.state is not State.OK}

    return found


@pytest.mark.parametrize(
    ("changes", "told", "mends"),
    [
        ({"port": 1}, "Connection refused", "systemctl start postgresql"),
        ({"host": "no-such-host.invalid"}, "no-such-host.invalid", "systemctl start postgresql"),
        ({"password": "wrong"}, "password authentication failed", "export RELEX_DATABASE_URL=postgresql://"),
        ({"password": ""}, "no password supplied", "export RELEX_DATABASE_URL=postgresql://"),
        ({"username": "ghost", "database": "open"}, 'role "ghost" does not exist', "createuser --host 127.0.0.1"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist', "createdb --host 127.0.0.1"),
    ],
)
def test_a_postgres_that_lets_nobody_in(look, strict_url, changes, told, mends):
    found = look(database_url=url_with(strict_url, **changes))
    assert set(found) == {"database"}
    assert told in found["database"].text
    assert found["database"].remedy.startswith(mends) or mends in found["database"].remedy


def test_the_commands_that_mend_a_missing_database_and_its_tables_do(look, strict_url):
    """The remedy for a role is pasted in the same way."""
    missing = url_with(strict_url, database="made_later")
    remedy = look(database_url=missing)["database"].remedy
    assert remedy.split()[-1] == "made_later"
    with psycopg.connect(strict_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE made_later ENCODING UTF8 TEMPLATE template0")
    found = look(database_url=missing)
    assert (found["tables"].state, found["tables"].remedy) == (State.BROKEN, "relex db upgrade")


def test_too_few_connections(look, strict_url):
    with crowd(strict_url, FEW):
        found = look(database_url=strict_url)["database"]
        assert "too many clients" in found.text
        assert "max_connections = 200" in found.remedy
    found = look(database_url=strict_url)["connections"]
    assert (found.state, "max_connections" in found.remedy) == (State.WARNING, True)


def test_a_database_in_which_korean_does_not_fit(look, strict_url):
    with psycopg.connect(strict_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' BUILTIN_LOCALE 'C' TEMPLATE template0")
    found = look(database_url=url_with(strict_url, database="latin"))["encoding"]
    assert "LATIN1" in found.text
    assert "--encoding UTF8" in found.remedy


@pytest.mark.parametrize(
    ("revision", "mends"), [("0000", "relex db upgrade"), ("9999", "update relex here as it was installed")]
)
def test_tables_of_another_time(look, database, revision, mends):
    with database.transaction() as tx:
        now = tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    try:
        found = look(database_url=database.url)["tables"]
    finally:
        with database.transaction() as tx:
            tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{now}'")
    assert revision in found.text
    assert found.remedy == mends


def test_a_team_where_all_is_well(look, database, database_url, broker_url, tmp_path):
    register_model(database, tmp_path / "home")
    assert look(database_url=database_url, broker_url=broker_url) == {}


def test_clocks_that_differ(look, database_url):
    assert "90 s behind" in look(database_url=database_url, clock=lambda: time.time() - 90)["clock"].text
    assert "90 s ahead" in look(database_url=database_url, clock=lambda: time.time() + 90)["clock"].text


def test_a_current_model_without_its_folder_or_with_another_file(look, database, tmp_path):
    home = tmp_path / "home"
    model = register_model(database, home)
    assert "model" not in look(database_url=database.url)
    (home / "models" / "fake" / "1" / "config.json").write_text("altered")
    altered = look(database_url=database.url)["model"]
    assert f"{home}/models/fake/1: config.json altered" in altered.text
    missing = look(database_url=database.url, home=tmp_path / "elsewhere")["model"]
    assert f"{model}: no folder" in missing.text
    assert missing.remedy.startswith("rsync -a ")


def test_a_model_that_only_an_open_job_asks_for(database, tmp_path):
    home = tmp_path / "home"
    old = register_model(database, home)
    make_job(database)
    with database.transaction() as tx:
        labels = models.table.find(tx, old).labels
        models.table.promote(tx, models.table.register(tx, "other", labels, {"config.json": "0"}))
    (home / "models" / "fake" / "1" / "config.json").unlink()
    assert {finding.text.split(":")[0] for finding in broken_models(database, home)} == {
        str(home / "models" / "fake" / "1"),
        "other@1",
    }


def broken_models(database, home):
    settings = Settings(database_url=database.url, home=home, device="cpu")
    return [finding for finding in examine(settings) if finding.name == "model" and finding.state is State.BROKEN]


def test_work_that_waits_for_a_worker(look, database, tmp_path, broker_url):
    register_model(database, tmp_path / "home")
    make_job(database, rows=10, shard_rows=5)
    found = look(database_url=database.url, broker_url=broker_url)["workers"]
    assert found.text.startswith("2 shards and 0 training runs wait")
    assert found.remedy == "relex worker"
    worker = Database(database.url, WORKER)
    with worker.transaction():
        assert "workers" not in look(database_url=database.url, broker_url=broker_url)
    worker.close()


def test_a_shard_that_every_worker_gives_back(look, database):
    def load(model, _):
        raise BadCheckpoint(f"{model}: no folder here")

    job = make_job(database, rows=4)
    worker = Worker("host:1", load, LeaseTerms(60, 60, lambda: False))
    score_next(database, worker)
    assert "shards" not in look(database_url=database.url), "one try is no pattern"
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE shards SET started_at = now() - interval '5 minutes', not_before = now()")
    score_next(database, worker)
    found = look(database_url=database.url)["shards"]
    assert found.text == f"1 shards of {job.id} are given back again and again: host:1: fake@1: no folder here"
    assert f"relex status {job.id}" in found.remedy


@pytest.mark.parametrize(
    ("options", "url", "state", "told", "mends"),
    [
        (
            ["--requirepass", PASSWORD],
            "redis://127.0.0.1:{}/0",
            "broken",
            "wants another password",
            "redis://:PASSWORD@",
        ),
        (
            ["--requirepass", "x"],
            f"redis://:{PASSWORD}@127.0.0.1:{{}}/0",
            "broken",
            "wants another",
            "redis://:PASSWORD@",
        ),
        (
            ["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"],
            "redis://127.0.0.1:{}/0",
            "warning",
            "allkeys-lru",
            "CONFIG SET maxmemory-policy noeviction",
        ),
        (["--maxmemory", "100kb"], "redis://127.0.0.1:{}/0", "broken", "is full", "CONFIG SET maxmemory "),
    ],
)
def test_a_redis_that_is_not_as_it_should_be(options, url, state, told, mends):
    with own_redis(*options) as port:
        found = broker(url.format(port))
    assert (found.state, told in found.text, mends in found.remedy) == (state, True, True), found
    assert PASSWORD not in str(found)


def test_a_redis_that_does_not_answer():
    found = broker("redis://127.0.0.1:1/0")
    assert "Connection refused" in found.text
    assert "systemctl start redis-server" in found.remedy


def test_a_home_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    found = machine.home(tmp_path / "file" / "home")
    assert (found.state, "RELEX_HOME" in found.remedy) == (State.BROKEN, True)
    assert machine.home(tmp_path / "new" / "home").state is State.OK
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_disk_that_is_nearly_full(tmp_path):
    with small_disk(tmp_path / "disk", "64m") as disk:
        assert machine.disk(disk / "home").state is State.BROKEN
        assert machine.home(disk / "home").state is State.OK
        fill(disk)
        assert "No space left" in machine.home(disk).text


def test_a_device_that_is_not_there(tmp_path):
    found = machine.device("cuda:99")
    assert (found.state, "cuda:99" in found.text) == (State.BROKEN, True)
    assert "RELEX_DEVICE=auto" in found.remedy
    assert machine.device("auto", tmp_path / "none").state is State.OK


def test_a_gpu_that_torch_cannot_use(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "nvidiactl").write_text("")
    found = machine.device("auto", tmp_path / "nvidiactl")
    assert (found.state, "torch cannot use it" in found.text) == (State.WARNING, True)
    assert found.remedy.startswith("nvidia-smi")


def test_the_command_tells_programs_and_people_and_fails_where_something_is_broken(tmp_path, database_url):
    env = environment(home=tmp_path / "home", device="cpu")
    told = relex("doctor", "--json", env=env, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert {finding["state"] for finding in json.loads(told.stdout)} == {"ok"}
    env |= {"RELEX_DATABASE_URL": url_with(database_url, port=1, password=PASSWORD)}
    told = relex("doctor", env=env, cwd=tmp_path)
    assert told.returncode == 1
    assert "broken" in told.stdout
    assert "-> sudo systemctl start postgresql" in told.stdout
    assert PASSWORD not in told.stdout + told.stderr
