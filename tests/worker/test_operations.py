"""Workers as their operator sees them: their log, their health, how they end, when they refuse to begin."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from relex.db import jobs
from relex.errors import RelexError
from relex.flows.health import health
from relex.settings import Settings
from tests.command_line import run_command
from tests.factories import SlowScorer, make_job, register_model
from tests.processes import ROOT, environment, kill, started, wait_until
from worker.background import lock_of


class HangingScorer(SlowScorer):
    """Scores a batch and then hangs, as a device does that does not answer any more."""

    def score(self, examples):
        for batch in super().score(examples):
            yield batch
            signal.pause()


@pytest.fixture
def services(database_url, broker_url, tmp_path):
    """Settings for Celery workers that notice everything quickly."""
    names = {"database_url": database_url, "broker_url": broker_url, "home": tmp_path / "home"}
    return names | {"lease_seconds": 600, "sweep_seconds": 0.3, "scorer": "tests.factories:SlowScorer"}


@pytest.fixture
def log(tmp_path):
    return tmp_path / "worker.log"


@pytest.fixture(params=["celery", "local"])
def worker(request, services, log):
    """Start a worker of one of the two kinds: `with worker() as process`."""
    kind = {} if request.param == "celery" else {"broker_url": ""}

    def start(*options, **changes):
        concurrency = ["--concurrency", "1"] if request.param == "celery" else []
        env = environment(**(services | kind | changes))
        return started("worker", "--queues", "score", *concurrency, *options, env=env, log=log)

    return start


@pytest.fixture
def job(database, services):
    """200 rows in shards of 100: one shard takes 2.5 seconds."""
    register_model(database, services["home"])
    return make_job(database, rows=200, shard_rows=100)


def lines(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


def running(database, job):
    with database.transaction() as tx:
        return jobs.progress(tx, jobs.find(tx, job.id)).running_shards


def counted(database):
    """What stands against the rows: claims and crashes of shards that are not done."""
    with database.transaction() as tx:
        statement = "SELECT state, sum(attempt), sum(crashes) FROM shards WHERE state <> 'done' GROUP BY state"
        return tx.exec_driver_sql(statement).all()


def test_every_line_is_json_and_bears_the_ids_of_the_shard_that_is_held(worker, database, job, log):
    with worker(scorer="tests.factories:FakeScorer") as process:
        wait_until(lambda: running(database, job) == 0 and counted(database) == [])
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    report = lines(log)
    done = [line for line in report if line["message"].startswith("rows: ")]
    assert sorted((line["job"], line["shard"], line["model"]) for line in done) == [
        (job.id, 0, job.model),
        (job.id, 100, job.model),
    ]
    assert {"time", "level", "worker"} <= set.intersection(*(set(line) for line in report))
    with database.transaction() as tx:
        assert {line["worker"] for line in done} == set(tx.exec_driver_sql("SELECT worker FROM shards").scalars())
    assert not [line for line in report if "received" in line["message"] or "succeeded" in line["message"]]
    assert all("job" not in line for line in report if line["logger"].startswith("celery"))


def test_a_terminal_or_a_setting_gets_plain_text(worker, database, job, log):
    with worker(scorer="tests.factories:FakeScorer", log_format="plain"):
        wait_until(lambda: f"[job={job.id} shard=100 model={job.model}]" in log.read_text())
    assert counted(database) == []


@pytest.mark.parametrize("whom", ["parent", "parent-twice", "all"])
def test_sigterm_in_a_batch_gives_the_shard_back_and_counts_nothing(worker, database, job, log, whom):
    with worker() as process:
        wait_until(lambda: running(database, job) == 1)
        if whom == "all":  # as systemd does
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.send_signal(signal.SIGTERM)
        if whom == "parent-twice":
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert counted(database) == [("pending", 0, 0)]
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM predictions").scalar() in (0, 100)
    assert not [line for line in lines(log) if line["level"] in ("ERROR", "CRITICAL")]


def test_sigterm_of_a_celery_child_ends_its_worker_in_good_order(services, database, job, log):
    with started("worker", "--queues", "score", "--concurrency", "2", env=environment(**services), log=log) as process:
        wait_until(lambda: running(database, job) == 2)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert process.wait(60) == 0
    assert counted(database) == [("pending", 0, 0)]


def test_the_background_process_of_a_laptop_gives_back_what_it_holds_too(services, database, job, log):
    env = environment(**(services | {"broker_url": ""}))
    with background("score", env, log) as process:
        wait_until(lambda: running(database, job) == 1 and "loading" in log.read_text())
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert counted(database) == [("pending", 0, 0)]
    assert lines(log)


def test_the_background_process_of_a_laptop_ends_although_a_job_waits_that_it_cannot_load(services, database, log):
    register_model(database)  # without files
    make_job(database, rows=4)
    env = environment(**(services | {"broker_url": "", "idle_seconds": 0.5}))
    with background("score", env, log) as process:
        assert process.wait(60) == 0
    failures = [line["message"] for line in lines(log) if line["level"] == "ERROR"]
    assert len(failures) == 1, "it tries again in 15 seconds, and has ended before"
    assert "cannot load fake@1 and tries again in 15 s" in failures[0]


def test_a_worker_whose_home_cannot_be_made_says_so_in_one_line(log):
    env = environment(home="/proc/relex/home")
    with started("worker", "--queues", "score", env=env, log=log) as process:
        assert process.wait(60) == 1
    errors = [line["message"] for line in lines(log) if line["level"] == "ERROR"]
    assert len(errors) == 1, errors
    assert errors[0].startswith("/proc/relex/home: cannot be made: ")
    assert "Traceback" not in log.read_text()


def test_databases_that_share_a_home_do_not_wait_for_each_other(tmp_path):
    """Each has slots of its own: the background process of one must not keep that of the other from beginning."""
    urls = [None, "postgresql://localhost/one", "postgresql://localhost/two"]
    slots = {lock_of(Settings(database_url=url, home=tmp_path), "score", slot) for url in urls for slot in (0, 1)}
    assert len(slots) == 6


@contextmanager
def background(queue, env, log):
    """What `relex submit` starts where there is no broker."""
    command = [sys.executable, "-P", "-m", "worker.local", queue, "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        kill(process)


@pytest.fixture
def without_tables(server_url):
    """The URL of a database that nobody has upgraded."""
    name = f"relex_test_{os.getpid()}_bare"
    url = make_url(server_url)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_worker_without_tables_ends_with_the_suggestion_report_once(worker, without_tables, log):
    with worker(database_url=without_tables) as process:
        assert process.wait(60) == 1
    (report,) = [line["message"] for line in lines(log) if line["level"] == "ERROR"]
    assert "`relex db upgrade`" in report
    assert "Traceback" not in log.read_text()


@pytest.mark.usefixtures("job")
def test_a_worker_that_is_older_than_the_tables_of_its_database_ends(worker, database, log):
    statement = "UPDATE alembic_version SET version_num = '{}'"
    with database.transaction() as tx:
        revision = tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    try:
        with worker(scorer="tests.factories:FakeScorer") as process:
            wait_until(lambda: counted(database) == [])
            with database.transaction() as tx:
                tx.exec_driver_sql(statement.format("9999"))
            assert process.wait(60) == 1
    finally:
        with database.transaction() as tx:
            tx.exec_driver_sql(statement.format(revision))
    assert ["newer relex" in line["message"] for line in lines(log) if line["level"] == "ERROR"] == [True]


def test_a_worker_is_healthy_while_it_works_and_its_file_goes_with_it(worker, database, job, tmp_path):
    file = tmp_path / "health"
    settings = Settings(health_file=file, sweep_seconds=0.3)
    with worker("--health-file", str(file)) as process:
        wait_until(lambda: running(database, job) == 1 and file.exists())
        assert "healthy" in health(settings)
        done = run_command("health", "--file", file, env=environment(), cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    with pytest.raises(RelexError, match="not there"):
        health(settings)
    done = run_command("health", env=environment(health_file=file), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert str(file) in done.stderr


@pytest.mark.usefixtures("job")
def test_a_worker_whose_process_hangs_is_not_healthy(worker, log, tmp_path):
    file = tmp_path / "health"
    changes = {"scorer": "tests.worker.test_operations:HangingScorer", "stall_seconds": 1, "health_file": file}
    with worker(**changes):
        wait_until(lambda: "unhealthy" in log.read_text())
        last = file.stat().st_mtime
        heard = log.read_text().count("unhealthy")
        wait_until(lambda: log.read_text().count("unhealthy") > heard + 1)
        assert file.stat().st_mtime == last


def test_a_worker_that_cannot_reach_postgres_is_not_well(worker, log, tmp_path):
    file = tmp_path / "health"
    with worker(database_url="postgresql://127.0.0.1:1/nothing", health_file=file):
        wait_until(lambda: log.exists() and log.read_text().count("Connection refused") > 1)
        assert not file.exists()


def test_a_stale_file_is_reported_with_its_age(tmp_path):
    file = tmp_path / "health"
    file.write_text("{}")
    os.utime(file, (1, 1))
    with pytest.raises(RelexError, match=r"last healthy \d+ s ago.*start it again"):
        health(Settings(health_file=file))
    done = run_command("health", env=environment(), cwd=tmp_path)
    assert (done.returncode, "RELEX_HEALTH_FILE" in done.stderr) == (3, True)
