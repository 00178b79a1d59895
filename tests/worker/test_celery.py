"""Real Celery workers on a real Redis and Postgres, with the fake scorer of tests/factories.py."""

import signal

import pytest
from redis import Redis

from relex.db import results
from relex.domain.jobs import JobState
from relex.environment import isolate
from relex.errors import ServiceUnreachable
from relex.flows import control
from relex.settings import Settings
from tests.factories import example, make_job, prediction, register_model
from tests.job_steps import progress
from tests.own_services import own_redis
from tests.processes import environment, kill, started, wait_until
from worker.dispatch import MAX_DOORBELLS, notify_scorers, notify_trainers


@pytest.fixture
def services(database_url, broker_url, tmp_path):
    """Settings for workers that notice everything quickly."""
    names = {"database_url": database_url, "broker_url": broker_url, "home": tmp_path / "home"}
    return names | {"lease_seconds": 2, "sweep_seconds": 0.3, "scorer": "tests.factories:FakeScorer"}


@pytest.fixture
def worker(services, tmp_path):
    """Start a worker: `with worker() as process`."""
    log = tmp_path / "worker.log"
    log.touch()

    def start(**changes):
        env = environment(**(services | changes))
        return started("worker", "--queues", "score", "--concurrency", "1", env=env, log=log)

    yield start
    assert "Traceback" not in log.read_text()


@pytest.fixture
def job(database, services):
    register_model(database, services["home"])
    return make_job(database, rows=200, shard_rows=10)


def assert_all_scored_once(database, job):
    ended = progress(database, job)
    assert (ended.done, ended.failed) == (job.total, 0)
    with database.transaction() as tx:
        lines = b"".join(map(bytes, results.copy_csv(tx, job.id))).decode().splitlines()
    assert [line.split(",")[:2] for line in lines] == [
        [f"id-{n}", prediction(example(n)).label] for n in range(job.total)
    ]


def test_two_workers_share_a_job_and_lose_and_double_nothing(worker, database, services, job):
    with worker(scorer="tests.factories:SlowScorer"), worker(scorer="tests.factories:SlowScorer"):
        notify_scorers(Settings(services["database_url"], services["broker_url"]), 20)
        wait_until(lambda: progress(database, job).state.ended)
    assert_all_scored_once(database, job)
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT count(DISTINCT worker) FROM shards").scalar() == 2


def test_a_worker_finds_work_that_nobody_rang_for(worker, database, job):
    with worker():
        wait_until(lambda: progress(database, job).state.ended)
    assert_all_scored_once(database, job)


def test_what_a_killed_worker_held_goes_to_another(worker, database, job):
    with worker(scorer="tests.factories:SlowScorer") as doomed:
        wait_until(lambda: progress(database, job).done_shards >= 2 and progress(database, job).running_shards)
        kill(doomed)
        assert not progress(database, job).state.ended
        with worker():
            wait_until(lambda: progress(database, job).state.ended)
    assert_all_scored_once(database, job)


def test_a_worker_that_is_asked_to_end_gives_back_what_it_holds(worker, database, job):
    with worker(scorer="tests.factories:SlowScorer", lease_seconds=600) as polite:
        wait_until(lambda: progress(database, job).running_shards == 1)
        polite.send_signal(signal.SIGTERM)
        assert polite.wait(timeout=60) == 0
    left = progress(database, job)
    assert (left.running_shards, left.state.ended) == (0, False)
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT max(attempt) FROM shards WHERE state = 'pending'").scalar() == 0


def test_a_worker_leaves_a_cancelled_job_within_a_renewal_and_takes_the_next(worker, database, services):
    register_model(database, services["home"])
    doomed = make_job(database, rows=4000, shard_rows=4000, key="doomed")  # 100 s of a slow scorer
    with worker(scorer="tests.factories:SlowScorer"):
        wait_until(lambda: progress(database, doomed).running_shards == 1)
        with database.transaction() as tx:
            control.cancel_job(tx, doomed.id)
        following = make_job(database, rows=8, key="following")
        wait_until(lambda: progress(database, following).state.ended, seconds=20)
    assert progress(database, doomed).state is JobState.CANCELLED
    assert_all_scored_once(database, following)
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM predictions WHERE job_id = %s", (doomed.id,)).scalar() == 0


def test_redis_that_forgets_everything_costs_no_row(worker, database, broker_url, job):
    with worker(scorer="tests.factories:SlowScorer"):
        wait_until(lambda: progress(database, job).done_shards >= 1)
        with Redis.from_url(broker_url) as redis:
            redis.flushdb()
        wait_until(lambda: progress(database, job).state.ended)
    assert_all_scored_once(database, job)


def test_a_doorbell_rings_in_its_own_queue_only(services, broker_url):
    settings = Settings(services["database_url"], broker_url)
    notify_scorers(settings, 2)
    notify_trainers(settings)
    with Redis.from_url(broker_url) as redis:
        assert (redis.llen("score"), redis.llen("train")) == (2, 1)


def test_the_queue_holds_a_bounded_number_of_doorbells(services, broker_url):
    settings = Settings(services["database_url"], broker_url)
    for _ in range(3):
        notify_scorers(settings, 1000)
    with Redis.from_url(broker_url) as redis:
        assert redis.llen("score") == MAX_DOORBELLS


def test_doorbells_ring_at_the_broker_that_the_settings_name(services, broker_url):
    """Celery's own pool stays with the first broker that a process has sent to."""
    with own_redis() as port, Redis(port=port) as other, Redis.from_url(broker_url) as redis:
        notify_scorers(Settings(services["database_url"], broker_url), 1)
        notify_scorers(Settings(services["database_url"], f"redis://127.0.0.1:{port}/0"), 2)
        assert (redis.llen("score"), other.llen("score")) == (1, 2)


def test_only_our_own_variable_names_the_broker(services, broker_url, monkeypatch):
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        monkeypatch.setenv(name, "redis://127.0.0.1:1/0")
    isolate()
    notify_scorers(Settings(services["database_url"], broker_url), 1)
    with Redis.from_url(broker_url) as redis:
        assert redis.llen("score") == 1


def test_a_worker_outlives_a_redis_that_refuses_its_commands(worker, database, services, tmp_path):
    """It becomes a replica in a failover, then somebody takes rights away; each time the worker waits for better."""
    register_model(database, services["home"])
    with own_redis() as primary, own_redis() as port, Redis(port=port) as redis:
        url = f"redis://127.0.0.1:{port}/0"
        settings = Settings(services["database_url"], url)
        with worker(broker_url=url) as process:
            for number, (refuse, allow, reason) in enumerate(REFUSALS):
                redis.execute_command(*refuse.format(primary=primary).split())
                heard = (tmp_path / "worker.log").read_text().count(reason)
                with pytest.raises(ServiceUnreachable, match=f"takes no doorbells.*{reason}"):
                    notify_scorers(settings, MAX_DOORBELLS)  # more than may ring already
                job = make_job(database, key=str(number))
                wait_until(
                    lambda heard=heard, reason=reason: (tmp_path / "worker.log").read_text().count(reason) > heard
                )
                assert process.poll() is None
                redis.execute_command(*allow.split())
                wait_until(lambda job=job: progress(database, job).state.ended)


REFUSALS = [
    ("REPLICAOF 127.0.0.1 {primary}", "REPLICAOF NO ONE", "read only replica"),
    ("ACL SETUSER default -brpop -lpush", "ACL SETUSER default +@all", "no permissions"),
]
