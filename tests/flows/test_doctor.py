"""`relex doctor` on Postgres and Redis, each breakage really caused; the hint is pasted into a shell."""

import time

import psycopg
import pytest
from sqlalchemy import make_url

from relex.flows.checks.result import State
from relex.flows.checks.services import broker
from relex.hints import doctor as hints
from relex.settings import Settings
from tests.command_line import run_command
from tests.factories import register_model
from tests.own_services import AS_SUPERUSER, FEW, PASSWORD, crowd, own_postgres, own_redis, url_with
from tests.pasting import pasted
from tests.processes import environment, wait_until


@pytest.mark.parametrize(
    ("changes", "report", "fixes"),
    [
        ({"port": 1}, "Connection refused", "systemctl start postgresql"),
        ({"host": "no-such-host.invalid"}, "no-such-host.invalid", "systemctl start postgresql"),
        ({"password": "wrong"}, "password authentication failed", "export RELEX_DATABASE_URL=postgresql://"),
        ({"password": ""}, "no password supplied", "export RELEX_DATABASE_URL=postgresql://"),
        ({"username": "ghost", "database": "open"}, 'role "ghost" does not exist', "createuser --host 127.0.0.1"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist', "createdb --host 127.0.0.1"),
    ],
)
def test_a_postgres_that_lets_nobody_in(look, strict_url, changes, report, fixes):
    found = look(database_url=url_with(strict_url, **changes))
    assert set(found) == {"database"}
    assert report in found["database"].text
    assert found["database"].suggestion.startswith(fixes) or fixes in found["database"].suggestion


@pytest.mark.hint("doctor.create_role", "doctor.create_database")
def test_the_hints_lead_from_nothing_to_a_database_that_can_be_used(look, strict_url, tmp_path):
    """No role, no database, no tables, no model: each hint is pasted, and the next look is a step further."""
    url = url_with(strict_url, username="ghost", password=None, database="open")
    env = environment(database_url=url, home=tmp_path / "home", device="cpu") | AS_SUPERUSER
    steps = []
    while found := [each for each in look(database_url=url).values() if each.state is State.ERROR]:
        assert len(steps) < 5, found
        first = found[0]
        steps.append(first.suggestion.split()[0])
        pasted(first.suggestion, env, stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert steps == ["createuser", "createdb", "relex"]


@pytest.mark.hint("doctor.database_password")
def test_another_password(look, strict_url, tmp_path):
    suggestion = look(database_url=url_with(strict_url, password="wrong"))["database"].suggestion
    after = pasted(suggestion, environment(home=tmp_path), {"PASSWORD": PASSWORD})
    assert "database" not in look(database_url=Settings.from_env(after, tmp_path).database_url)


@pytest.mark.parametrize(
    "default", ["DATABASE {name}", "ROLE {user}", "ROLE {user} IN DATABASE {name}", "SYSTEM"], ids=str.lower
)
@pytest.mark.hint("doctor.allow_writes")
def test_a_database_that_is_read_only_by_default(look, strict_url, default):
    url = make_url(strict_url)
    with psycopg.connect(strict_url, autocommit=True) as connection:
        where = default.format(name=url.database, user=url.username)
        connection.execute(f"ALTER {where} SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: "writing" in look(database_url=strict_url))
    found = look(database_url=strict_url)["writing"]
    assert (found.state, "is read-only" in found.text) == (State.ERROR, True)
    pasted(found.suggestion, environment() | AS_SUPERUSER)
    wait_until(lambda: "writing" not in look(database_url=strict_url))


@pytest.mark.hint("doctor.name_primary", "doctor.doctor")
def test_a_standby_takes_no_writes_and_commands_say_so(look, tmp_path, strict_url):
    with own_postgres(tmp_path / "standby", standby=True) as url:
        found = look(database_url=url)["writing"]
        assert "is a standby" in found.text
        report = run_command("db", "upgrade", env=environment(database_url=url, home=tmp_path), cwd=tmp_path)
    assert report.returncode == 4
    assert "read-only" in report.stderr
    assert "`relex doctor`" in report.stderr
    assert PASSWORD not in report.stderr
    primary = make_url(strict_url)
    words = {f"PRIMARY:{make_url(url).port}": f"{primary.host}:{primary.port}", "PASSWORD": PASSWORD}
    after = pasted(found.suggestion, environment(home=tmp_path), words)
    assert "writing" not in look(database_url=Settings.from_env(after, tmp_path).database_url)


@pytest.mark.hint("doctor.more_connections")
def test_too_few_connections(look, strict_url):
    with crowd(strict_url, FEW):
        found = look(database_url=strict_url)["database"]
        assert "too many clients" in found.text
    pasted(found.suggestion, environment() | AS_SUPERUSER)
    with psycopg.connect(strict_url, autocommit=True) as connection:
        (setting,) = connection.execute(
            "SELECT setting FROM pg_file_settings WHERE name = 'max_connections' ORDER BY seqno DESC"
        ).fetchone()
        connection.execute("ALTER SYSTEM RESET max_connections")
    assert setting == str(hints.MAX_CONNECTIONS)
    found = look(database_url=strict_url)["connections"]
    assert (found.state, "max_connections" in found.suggestion) == (State.WARNING, True)


def test_a_database_in_which_korean_does_not_fit(look, strict_url):
    with psycopg.connect(strict_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' BUILTIN_LOCALE 'C' TEMPLATE template0")
    found = look(database_url=url_with(strict_url, database="latin"))["encoding"]
    assert "LATIN1" in found.text
    pasted(found.suggestion, environment() | AS_SUPERUSER)
    assert "encoding" not in look(database_url=url_with(strict_url, database="latin_utf8"))


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_an_upgrade_refuses_a_database_that_cannot_hold_every_text(strict_url, tmp_path, encoding):
    name = f"other_{encoding.lower()}"
    with psycopg.connect(strict_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING {encoding} LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
        )
    url = url_with(strict_url, database=name)
    report = run_command("db", "upgrade", env=environment(database_url=url, home=tmp_path), cwd=tmp_path)
    error, hint = report.stderr.splitlines()
    assert (report.returncode, f"is encoded in {encoding}" in error) == (1, True)
    pasted(hint.removeprefix("hint: "), environment() | AS_SUPERUSER)
    report = run_command("db", "upgrade", env=environment(database_url=f"{url}_utf8", home=tmp_path), cwd=tmp_path)
    assert report.returncode == 0, report.stderr


@pytest.mark.parametrize("revision", ["0007", "9999"])
def test_tables_of_an_unknown_revision(look, database, revision):
    with database.transaction() as tx:
        now = tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
    try:
        found = look(database_url=database.url)["tables"]
    finally:
        with database.transaction() as tx:
            tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{now}'")
    assert revision in found.text
    assert found.suggestion == "update relex here as it was installed"


def test_a_team_where_all_is_well(look, database, database_url, broker_url, tmp_path):
    register_model(database, tmp_path / "home")
    assert look(database_url=database_url, broker_url=broker_url) == {}


@pytest.mark.hint("doctor.synchronize_clock")
def test_clocks_that_differ(look, database_url):
    assert "90 s behind" in look(database_url=database_url, clock=lambda: time.time() - 90)["clock"].text
    assert "90 s ahead" in look(database_url=database_url, clock=lambda: time.time() + 90)["clock"].text


@pytest.mark.parametrize(
    ("options", "credentials", "state", "report"),
    [
        (["--requirepass", PASSWORD], "", State.ERROR, "wants another password"),
        (["--requirepass", PASSWORD], ":wrong@", State.ERROR, "wants another password"),
        (["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"], "", State.WARNING, "allkeys-lru"),
        (["--maxmemory", "100kb"], "", State.ERROR, "is full"),
        (["--maxmemory", "100kb", "--requirepass", PASSWORD], f":{PASSWORD}@", State.ERROR, "is full"),
        (["--replicaof", "127.0.0.1 {primary}"], "", State.ERROR, "is a replica of 127.0.0.1:"),
    ],
)
def test_a_redis_that_is_not_as_it_should_be(options, credentials, state, report, tmp_path):
    with own_redis() as primary, own_redis(*(each.format(primary=primary) for each in options)) as port:
        url = f"redis://{credentials}127.0.0.1:{port}/0"
        found = broker(url)
        assert (found.state, report in found.text) == (state, True), found
        assert PASSWORD not in str(found)
        env = environment(database_url="postgresql://localhost/x", broker_url=url)
        words = {"PASSWORD": PASSWORD} if ":PASSWORD@" in found.suggestion else {}
        after = pasted(found.suggestion, env, words, stdin=f"{PASSWORD}\n")
        assert broker(Settings.from_env(after, tmp_path).broker_url).state is State.OK


@pytest.mark.parametrize(("url", "host"), [("redis://127.0.0.1:1/0", "127.0.0.1"), ("redis://:1/0", "localhost")])
@pytest.mark.hint("doctor.start_redis")
def test_a_redis_that_does_not_answer(url, host):
    found = broker(url)
    assert "does not answer" in found.text
    assert f"systemctl start redis-server  # on {host};" in found.suggestion
