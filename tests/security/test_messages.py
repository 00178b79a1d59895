"""What others put into Redis: a worker takes JSON that names its own tasks, and lives on after all else."""

import base64
import json
import uuid

import pytest
from celery import Celery
from redis import Redis

from tests.factories import make_job, register_model
from tests.processes import environment, started, wait_until
from worker.app import app


def envelope(body, content_type, task="relex.score"):
    """A message as Celery puts it into Redis."""
    marks = {"delivery_mode": 2, "delivery_info": {"exchange": "score", "routing_key": "score"}, "priority": 0}
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "binary" if "python" in content_type else "utf-8",
            "content-type": content_type,
            "headers": {"task": task, "id": str(uuid.uuid4()), "lang": "py"},
            "properties": marks | {"body_encoding": "base64", "delivery_tag": str(uuid.uuid4())},
        }
    )


def test_json_is_all_that_celery_takes_and_sends():
    assert app.conf.accept_content == ["json"]
    assert (app.conf.task_serializer, app.conf.event_serializer) == ("json", "json")
    assert app.conf.result_backend is None


@pytest.fixture
def scored(database, broker_url, database_url, tmp_path):
    """Let a real worker meet messages and then score a job; its log."""

    def meet(*messages, afterwards=lambda _: None):
        names = {"database_url": database_url, "broker_url": broker_url, "home": tmp_path / "home"}
        names |= {"scorer": "tests.factories:FakeScorer", "sweep_seconds": 600}  # only the doorbell says it of work
        register_model(database, names["home"])
        make_job(database, rows=10)
        log = tmp_path / "worker.log"
        with Redis.from_url(broker_url) as redis:
            redis.rpush("score", *reversed([*messages, envelope(b"[[], {}, {}]", "application/json")]))
        worker = started("worker", "--queues", "score", "--concurrency", "1", env=environment(**names), log=log)
        with worker as process, Redis.from_url(broker_url) as redis:
            wait_until(lambda: _predictions(database) == 10)
            afterwards(process)
            wait_until(lambda: redis.llen("score") == 0)  # its own doorbells too, which it rings while work waits
            assert process.poll() is None
        return log.read_text()

    return meet


def _predictions(database):
    with database.transaction() as tx:
        return tx.exec_driver_sql("SELECT count(*) FROM predictions").scalar()


def test_a_pickled_message_is_refused_and_the_worker_lives(trap, scored):
    said = scored(
        envelope(trap.pickle, "application/x-python-serialize"),
        envelope(trap.pickle, "application/x-python-serialize", task="relex.train"),
        envelope(trap.yaml.encode(), "application/x-yaml"),
    )
    assert said.count("Received invalid task message: Refusing to deserialize") == 3


def test_a_message_for_a_task_that_is_not_ours_is_dropped(trap, scored):
    arguments = json.dumps([["mkdir", str(trap.mark)], {}, {}]).encode()
    said = scored(envelope(arguments, "application/json", task="os.system"), envelope(b"{", "application/json"))
    assert "unregistered task" in said


def test_a_worker_is_not_ended_through_redis(scored, database, broker_url):
    def say_it_to_end(worker):
        with Celery(broker=broker_url) as stranger:
            stranger.control.shutdown()
        make_job(database, rows=20, key="after")
        with Redis.from_url(broker_url) as redis:
            redis.lpush("score", envelope(b"[[], {}, {}]", "application/json"))
        wait_until(lambda: _predictions(database) == 30)
        assert worker.poll() is None

    assert "Warm shutdown" not in scored(afterwards=say_it_to_end)
