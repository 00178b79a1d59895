"""Passwords of Postgres and Redis appear in nothing that relex prints, logs, writes or is started with."""

import os
import shutil
import signal
import subprocess
import traceback
from pathlib import Path

import pytest
from redis import Redis, RedisError
from ruamel.yaml import YAML

from cli.main import relex
from relex.db import jobs
from relex.db.connection import Database
from relex.embedded.users import use
from relex.errors import InvalidConfig, RelexError
from relex.settings import Settings
from tests.factories import make_job, register_model
from tests.processes import ROOT, environment, started, wait_until
from tests.processes import relex as run

SECRET = "S3cret"
NOBODY = "127.0.0.1:9"
"""An address where nobody listens."""

COMMANDS = [
    ["submit", "data/test_data.csv"],
    ["status", "@last"],
    ["jobs"],
    ["export", "--out", "outputs"],
    ["train", "--config", "scratch"],
    ["tune", "--config", "tune_focal", "--set", "data.train=data/train_data.csv", "--trials", "1"],
    ["runs"],
    ["cancel", "@last"],
    ["models"],
    ["models", "promote", "scratch"],
    ["models", "import", "relex/checkpoints/starter"],
    ["evaluate", "scratch", "--on", "data/valid_data.csv"],
    ["compare", "a", "b", "--on", "data/valid_data.csv"],
    ["ensemble", "a", "b", "--on", "data/valid_data.csv", "--name", "both"],
    ["db", "upgrade"],
    ["doctor"],
]


def report(arguments, capsys):
    """All that a command says, with `--debug`'s traceback; it must fail."""
    with pytest.raises((Exception, SystemExit)) as caught:
        relex.main(arguments, standalone_mode=False)
    said = capsys.readouterr()
    return said.out + said.err + "".join(traceback.format_exception(caught.value)) + repr(caught.value)


@pytest.fixture
def configured(monkeypatch, tmp_path):
    """Set RELEX_ variables in a folder like a fresh checkout."""
    for room in ("data", "relex"):
        (tmp_path / room).symlink_to(ROOT / room)
    monkeypatch.chdir(tmp_path)

    def configure(**variables):
        for name in [name for name in os.environ if name.startswith("RELEX_")]:
            monkeypatch.delenv(name)
        for name, value in environment(home=tmp_path / "home", **variables).items():
            monkeypatch.setenv(name, value)

    return configure


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_does_not_answer(configured, capsys, command):
    configured(database_url=f"postgresql://relex:{SECRET}@{NOBODY}/relex?passfile={SECRET}")
    said = report(command, capsys)
    assert NOBODY in said.replace('", port ', ":").replace('"', "")
    assert SECRET not in said


@pytest.mark.parametrize("command", [["submit", "data/test_data.csv"], ["doctor"]], ids=" ".join)
def test_a_broker_that_does_not_answer(configured, database, database_url, tmp_path, command):
    register_model(database, tmp_path / "home")
    configured(database_url=database_url, broker_url=f"redis://relex:{SECRET}@{NOBODY}/0")
    done = run("--debug", *command, env=dict(os.environ), cwd=tmp_path)
    assert NOBODY in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://relex:{SECRET}@host:none/x",
        f"postgresql://host:{SECRET}/x",
        f"postgresql://relex:a@{SECRET}@{NOBODY}/x",
        f"postgresql://relex:a@b/{SECRET}@{NOBODY}/x",
        f"postgresql://relex:{SECRET}@[::1/x",
        SECRET,
    ],
)
@pytest.mark.parametrize("command", ["jobs", "doctor"])
def test_a_database_url_that_is_none(configured, capsys, url, command):
    configured(database_url=url)
    said = report([command], capsys)
    assert "RELEX_DATABASE_URL is not a URL" in said
    assert SECRET not in said
    with pytest.raises(InvalidConfig):
        Database(url)


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}/x@host/0",
        f"redis://host:{SECRET}/0",
        f"redis://:12/{SECRET}@host/0",
        f"redis://:12?{SECRET}@host/0",
        f"redis://:12#{SECRET}@host/0",
        f"redis://:{SECRET}[x@host/0",
        SECRET,
    ],
)
def test_a_broker_url_that_is_none(configured, capsys, url):
    configured(database_url="postgresql://relex@host/x", broker_url=url)
    for command in (["jobs"], ["doctor"], ["worker"]):
        said = report(command, capsys)
        assert "RELEX_BROKER_URL is not a URL" in said
        assert SECRET not in said


def test_an_option_of_a_broker_url(configured, capsys):
    configured(database_url="postgresql://relex@host/x", broker_url=f"redis://{NOBODY}/0?password={SECRET}")
    said = report(["jobs"], capsys)
    assert "unknown option" in said
    assert SECRET not in said


def test_settings_do_not_show_them():
    settings = Settings(f"postgresql://relex:{SECRET}@host/x", f"redis://:{SECRET}@host/0")
    assert SECRET not in f"{settings} {settings!r}"
    assert "lease_seconds" in repr(settings)


def test_a_wrong_password(capsys, configured, tmp_path):
    """Postgres' own words about it, from a server that asks for one."""
    with use(tmp_path / "postgres") as url:
        data = tmp_path / "postgres" / "postgres"
        (data / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGHUP)
        # The embedded Postgres asks for no password, and its URL refuses to give one.
        wrong = url.replace("@/", f":{SECRET}@/").replace("&require_auth=none", "")
        wait_until(lambda: "password" in _refusal(wrong))
        configured(database_url=wrong)
        said = report(["jobs"], capsys)
        assert "password authentication failed" in said
        assert SECRET not in said


def _refusal(url):
    database = Database(url)
    try:
        with database.transaction():
            return ""
    except RelexError as error:
        return str(error)
    finally:
        database.close()


@pytest.fixture
def locked_redis(tmp_path):
    """The Redis of docker-compose.yml, started by its own command on another port: port, process."""
    command = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["redis"]["command"]
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server here")
    port = 20000 + os.getpid() % 20000
    words = command[2].replace("$$", "$").replace("redis-server -", f"{program} - --port {port} --bind 127.0.0.1")
    environment_ = {"RELEX_REDIS_PASSWORD": SECRET, "PATH": os.defpath}
    with subprocess.Popen([*command[:2], words], env=environment_, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        wait_until(lambda: _answers(port))
        yield port, process
        process.kill()


def _answers(port):
    try:
        with Redis(port=port, password=SECRET) as redis:
            return redis.ping()
    except RedisError:
        return False


def command_lines(group):
    """The command lines of all processes of a process group, as `ps` shows them."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(place.name)) == group:
                yield (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (ProcessLookupError, FileNotFoundError):
            continue


def test_redis_asks_for_its_password_and_shows_it_to_no_ps(locked_redis):
    port, process = locked_redis
    with Redis(port=port) as redis, pytest.raises(RedisError, match=r"(?i)auth"):
        redis.ping()
    assert "redis-server" in Path(f"/proc/{process.pid}/cmdline").read_text()
    assert SECRET not in Path(f"/proc/{process.pid}/cmdline").read_text()


def test_a_worker_from_its_banner_to_the_loss_of_redis(locked_redis, database, database_url, tmp_path):
    port, process = locked_redis
    names = {"home": tmp_path / "home", "scorer": "tests.factories:FakeScorer", "sweep_seconds": 0.3}
    names["database_url"] = database_url.replace("@", f":{SECRET}@", 1)  # trusted or not, it must be sent
    names["broker_url"] = f"redis://:{SECRET}@127.0.0.1:{port}/0"
    register_model(database, names["home"])
    job = make_job(database)
    log = tmp_path / "worker.log"
    with started(
        "worker", "--queues", "score,train", "--concurrency", "1", env=environment(**names), log=log
    ) as worker:
        wait_until(lambda: _ended(database, job))  # the worker itself rings: this process keeps Celery's first broker
        shown = list(command_lines(worker.pid))
        process.kill()
        wait_until(lambda: "Cannot connect" in log.read_text() or "Error 111" in log.read_text())
    assert any("worker.serve" in line for line in shown)
    assert not [line for line in shown if SECRET in line]
    assert f"@127.0.0.1:{port}/0" in log.read_text()  # reported, without what stands before it
    assert SECRET not in log.read_text()
    exported = run("export", job.id, "--out", "out", env=environment(**names), cwd=tmp_path)
    assert exported.returncode == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 5
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


def _ended(database, job):
    with database.transaction() as tx:
        return jobs.progress(tx, jobs.find(tx, job.id)).state.ended
