"""`relex doctor`, each breakage really caused: what is reported, and the hint, which is pasted into a shell."""

import json
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from relex.db import model_versions as versions
from relex.db.connection import WORKER, Database
from relex.errors import BadCheckpoint
from relex.flows.checks import machine
from relex.flows.checks.result import State
from relex.flows.checks.services import broker
from relex.flows.doctor import examine
from relex.flows.lease import LeaseTerms
from relex.flows.score import Worker, score_next
from relex.hints import doctor as hints
from relex.registry import model_versions
from relex.settings import Settings
from tests.db.own_services import FEW, PASSWORD, crowd, fill, own_postgres, own_redis, small_disk
from tests.making import fill_checkpoint, make_job, register_model
from tests.pasting import PRELUDE, pasted
from tests.processes import environment, relex, wait_until


@pytest.fixture(scope="module")
def strict_url(tmp_path_factory):
    """A Postgres of this module's own, which asks for a password."""
    with own_postgres(tmp_path_factory.mktemp("strict") / "home") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        yield url


AS_SUPERUSER = {"PGPASSWORD": PASSWORD}


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


def test_the_hints_lead_from_nothing_to_a_database_that_can_be_used(look, strict_url, tmp_path):
    """No role, no database, no tables, no model: each hint is pasted, and the next look is a step further."""
    url = url_with(strict_url, username="ghost", password=None, database="open")
    env = environment(database_url=url, home=tmp_path / "home", device="cpu") | AS_SUPERUSER
    steps = []
    while found := [each for each in look(database_url=url).values() if each.state is State.BROKEN]:
        assert len(steps) < 5, found
        first = found[0]
        steps.append(first.remedy.split()[0])
        pasted(first.remedy, env, stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert steps == ["createuser", "createdb", "relex"]


def test_another_password(look, strict_url, tmp_path):
    remedy = look(database_url=url_with(strict_url, password="wrong"))["database"].remedy
    after = pasted(remedy, environment(home=tmp_path), {"PASSWORD": PASSWORD})
    assert "database" not in look(database_url=Settings.from_env(after, tmp_path).database_url)


@pytest.mark.parametrize(
    "default", ["DATABASE {name}", "ROLE {user}", "ROLE {user} IN DATABASE {name}", "SYSTEM"], ids=str.lower
)
def test_a_database_that_is_read_only_by_default(look, strict_url, default):
    url = make_url(strict_url)
    with psycopg.connect(strict_url, autocommit=True) as connection:
        where = default.format(name=url.database, user=url.username)
        connection.execute(f"ALTER {where} SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: "writing" in look(database_url=strict_url))
    found = look(database_url=strict_url)["writing"]
    assert (found.state, "is read-only" in found.text) == (State.BROKEN, True)
    pasted(found.remedy, environment() | AS_SUPERUSER)
    wait_until(lambda: "writing" not in look(database_url=strict_url))


def test_a_standby_takes_no_writes_and_commands_say_so(look, tmp_path, strict_url):
    with own_postgres(tmp_path / "standby", standby=True) as url:
        found = look(database_url=url)["writing"]
        assert "is a standby" in found.text
        told = relex("db", "upgrade", env=environment(database_url=url, home=tmp_path), cwd=tmp_path)
    assert told.returncode == 4
    assert "read-only" in told.stderr
    assert "`relex doctor`" in told.stderr
    assert PASSWORD not in told.stderr
    primary = make_url(strict_url)
    words = {f"PRIMARY:{make_url(url).port}": f"{primary.host}:{primary.port}", "PASSWORD": PASSWORD}
    after = pasted(found.remedy, environment(home=tmp_path), words)
    assert "writing" not in look(database_url=Settings.from_env(after, tmp_path).database_url)


def test_too_few_connections(look, strict_url):
    with crowd(strict_url, FEW):
        found = look(database_url=strict_url)["database"]
        assert "too many clients" in found.text
    pasted(found.remedy, environment() | AS_SUPERUSER)
    with psycopg.connect(strict_url, autocommit=True) as connection:
        (setting,) = connection.execute(
            "SELECT setting FROM pg_file_settings WHERE name = 'max_connections' ORDER BY seqno DESC"
        ).fetchone()
        connection.execute("ALTER SYSTEM RESET max_connections")
    assert setting == str(hints.MAX_CONNECTIONS)
    found = look(database_url=strict_url)["connections"]
    assert (found.state, "max_connections" in found.remedy) == (State.WARNING, True)


def test_a_database_in_which_korean_does_not_fit(look, strict_url):
    with psycopg.connect(strict_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' BUILTIN_LOCALE 'C' TEMPLATE template0")
    found = look(database_url=url_with(strict_url, database="latin"))["encoding"]
    assert "LATIN1" in found.text
    pasted(found.remedy, environment() | AS_SUPERUSER)
    assert "encoding" not in look(database_url=url_with(strict_url, database="latin_utf8"))


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_an_upgrade_refuses_a_database_that_cannot_hold_every_text(strict_url, tmp_path, encoding):
    name = f"other_{encoding.lower()}"
    with psycopg.connect(strict_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING {encoding} LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
        )
    url = url_with(strict_url, database=name)
    told = relex("db", "upgrade", env=environment(database_url=url, home=tmp_path), cwd=tmp_path)
    error, hint = told.stderr.splitlines()
    assert (told.returncode, f"is encoded in {encoding}" in error) == (1, True)
    pasted(hint.removeprefix("hint: "), environment() | AS_SUPERUSER)
    told = relex("db", "upgrade", env=environment(database_url=f"{url}_utf8", home=tmp_path), cwd=tmp_path)
    assert told.returncode == 0, told.stderr


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
    with database.transaction() as tx:
        place = model_versions.version_dir(Settings(home=tmp_path / "elsewhere"), versions.find(tx, model))
    copy = tmp_path / "copy"
    fill_checkpoint(copy)
    words = {f"OTHER_MACHINE:{place}": str(copy)}
    pasted(missing.remedy, environment(), words)
    assert "model" not in look(database_url=database.url, home=tmp_path / "elsewhere")
    (place / "config.json").write_text("config.jsoN")  # as long and as old as before
    os.utime(place / "config.json", (1, 1))
    os.utime(copy / "config.json", (1, 1))
    altered = look(database_url=database.url, home=tmp_path / "elsewhere")["model"]
    pasted(altered.remedy, environment(), words)
    assert "model" not in look(database_url=database.url, home=tmp_path / "elsewhere")


def test_no_model_is_current(look, database, tmp_path):
    model = register_model(database, tmp_path / "home")
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE model_versions SET current = false")
    found = look(database_url=database.url)["model"]
    assert found.remedy == f"relex models promote {model}"
    pasted(found.remedy, environment(database_url=database.url, home=tmp_path / "home"))
    assert look(database_url=database.url) == {}
    with database.transaction() as tx:
        tx.exec_driver_sql("TRUNCATE model_versions CASCADE")
    pasted(
        look(database_url=database.url)["model"].remedy,
        environment(database_url=database.url, home=tmp_path / "home"),
    )
    assert look(database_url=database.url) == {}


def test_a_model_that_only_an_open_job_asks_for(database, tmp_path):
    home = tmp_path / "home"
    old = register_model(database, home)
    make_job(database)
    with database.transaction() as tx:
        labels = model_versions.table.find(tx, old).labels
        model_versions.table.promote(tx, model_versions.table.register(tx, "other", labels, {"config.json": "0"}))
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

    def worker():
        return Worker("host:1", load, LeaseTerms(60, 60, lambda: False))

    score_next(database, worker())
    assert "shards" not in look(database_url=database.url), "one try is no pattern"
    with database.transaction() as tx:
        tx.exec_driver_sql("UPDATE jobs SET created_at = now() - interval '5 minutes'")
    score_next(database, worker())
    found = look(database_url=database.url)["shards"]
    reason = "host:1 cannot load fake@1 and tries again in 15 s: fake@1: no folder here"
    assert found.text == f"1 shards of {job.id} are given back again and again: {reason}"
    pasted(found.remedy, environment(database_url=database.url, broker_url="redis://127.0.0.1:1/0"))


@pytest.mark.parametrize(
    ("options", "credentials", "state", "told"),
    [
        (["--requirepass", PASSWORD], "", State.BROKEN, "wants another password"),
        (["--requirepass", PASSWORD], ":wrong@", State.BROKEN, "wants another password"),
        (["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"], "", State.WARNING, "allkeys-lru"),
        (["--maxmemory", "100kb"], "", State.BROKEN, "is full"),
        (["--maxmemory", "100kb", "--requirepass", PASSWORD], f":{PASSWORD}@", State.BROKEN, "is full"),
        (["--replicaof", "127.0.0.1 {primary}"], "", State.BROKEN, "is a replica of 127.0.0.1:"),
    ],
)
def test_a_redis_that_is_not_as_it_should_be(options, credentials, state, told, tmp_path):
    with own_redis() as primary, own_redis(*(each.format(primary=primary) for each in options)) as port:
        url = f"redis://{credentials}127.0.0.1:{port}/0"
        found = broker(url)
        assert (found.state, told in found.text) == (state, True), found
        assert PASSWORD not in str(found)
        env = environment(database_url="postgresql://localhost/x", broker_url=url)
        words = {"PASSWORD": PASSWORD} if ":PASSWORD@" in found.remedy else {}
        after = pasted(found.remedy, env, words, stdin=f"{PASSWORD}\n")
        assert broker(Settings.from_env(after, tmp_path).broker_url).state is State.OK


@pytest.mark.parametrize(("url", "host"), [("redis://127.0.0.1:1/0", "127.0.0.1"), ("redis://:1/0", "localhost")])
def test_a_redis_that_does_not_answer(url, host):
    found = broker(url)
    assert "does not answer" in found.text
    assert f"systemctl start redis-server  # on {host};" in found.remedy


@pytest.fixture
def ordinary(monkeypatch):
    """A folder that everybody may enter, and this process as a user without any right in it."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        monkeypatch.setenv("HOME", place)

        @contextmanager
        def as_nobody():
            os.seteuid(65534)
            try:
                yield
            finally:
                os.seteuid(0)

        yield Path(place), as_nobody


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("case", ["missing", "closed", "another's", "a file"])
def test_a_home_that_cannot_be_written_to(ordinary, case):
    place, as_nobody = ordinary
    home = place / "a home"
    if case == "a file":
        home.write_text("")
        os.chown(place, 65534, 65534)
    elif case != "missing":
        home.mkdir(mode=0o500)
        os.chown(home, 65534 if case == "closed" else 12345, 0)
    before = place.stat().st_mode
    with as_nobody():
        found = machine.home(home)
    assert (found.state, str(home) in found.text) == (State.BROKEN, True)
    if "export" in found.remedy.partition("#")[0]:
        os.chown(place, 65534, 65534)  # a person's own folder
    prelude = PRELUDE + "id() { echo 65534; }\n"
    after = pasted(found.remedy, environment(home=home), prelude=prelude, user=65534 if case == "closed" else None)
    with as_nobody():
        assert machine.home(Path(after["RELEX_HOME"])).state is State.OK
    assert place.stat().st_mode == before, "nobody changes a folder above it"


def test_a_home_that_is_made_at_first_use(tmp_path):
    assert machine.home(tmp_path / "new" / "home").state is State.OK
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_nearly_full(tmp_path):
    with small_disk(tmp_path / "disk", "64m") as disk:
        assert machine.disk(disk / "home").state is State.BROKEN
        assert machine.home(disk / "home").state is State.OK
        fill(disk)
        found = machine.home(disk)
        assert "No space left" in found.text
        pasted(found.remedy, environment())


def test_a_device_that_is_not_there(tmp_path):
    found = machine.device("cuda:99")
    assert (found.state, "cuda:99" in found.text) == (State.BROKEN, True)
    after = pasted(found.remedy, environment(device="cuda:99"))
    assert machine.device(after["RELEX_DEVICE"], tmp_path / "none").state is State.OK
    assert machine.device("auto", tmp_path / "none").state is State.OK


def test_a_gpu_that_torch_cannot_use(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "nvidiactl").write_text("")
    found = machine.device("auto", tmp_path / "nvidiactl")
    assert (found.state, "torch cannot use it" in found.text) == (State.WARNING, True)
    assert found.remedy.startswith("nvidia-smi")


def test_the_command_tells_programs_and_people_and_fails_where_something_is_broken(tmp_path, database_url):
    others = {"PGHOSTADDR": "127.0.0.9", "CELERY_BROKER_URL": "redis://127.0.0.9"}
    env = environment(home=tmp_path / "home", device="cpu") | others
    assert relex("jobs", env=env, cwd=tmp_path).returncode == 0  # it makes the embedded database
    told = relex("doctor", "--json", env=env, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    (found,) = (each["text"] for each in json.loads(told.stdout) if each["name"] == "environment")
    assert found == "CELERY_BROKER_URL, PGHOSTADDR: set for other programs, ignored by relex"
    assert {finding["state"] for finding in json.loads(told.stdout)} == {"ok"}
    env |= {"RELEX_DATABASE_URL": url_with(database_url, port=1, password=PASSWORD)}
    told = relex("doctor", env=env, cwd=tmp_path)
    assert told.returncode == 1
    assert "broken" in told.stdout
    assert "-> sudo systemctl start postgresql" in told.stdout
    assert PASSWORD not in told.stdout + told.stderr
