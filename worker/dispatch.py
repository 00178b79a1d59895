"""The worker's interface for commands: notify scorers, notify trainers, become a worker.

With a broker that means a doorbell in Redis, without one a background process on this machine. A doorbell says
only "there is work"; Postgres says which. It is rung after the commit, and losing one costs seconds.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from kombu.exceptions import KombuError
from redis import Redis, RedisError

from relex.errors import InvalidConfig, ServiceUnreachable
from relex.hints import jobs as hints
from relex.settings import Settings
from worker import background
from worker.app import app
from worker.background import SCORE, TRAIN

MAX_DOORBELLS = 64
"""Maximum number of doorbells in a queue: one for each idle process suffices, one for each shard floods Redis."""


def notify_scorers(settings: Settings, shards: int) -> None:
    """Notify scorers of this many pending shards.

    Raises:
        ServiceUnreachable: Redis takes no doorbells; the workers' own sweep will find the work.
    """
    _notify(settings, SCORE, shards)


def notify_trainers(settings: Settings) -> None:
    """Notify a trainer of a queued training run.

    Raises:
        ServiceUnreachable: Redis takes no doorbells; the workers' own sweep will find the run.
    """
    _notify(settings, TRAIN, 1)


def run_worker(settings: Settings, queues: Sequence[str], concurrency: int | None) -> None:
    """Become a worker in the foreground; this process is replaced and does not return.

    Raises:
        InvalidConfig: several processes are asked for where there is no broker to share the work.
    """
    if settings.broker_url is None:
        if concurrency:
            raise InvalidConfig(f"--concurrency needs RELEX_BROKER_URL; {hints.one_process()}")
        arguments = ["-P", "-m", "worker.local", SCORE if SCORE in queues else TRAIN, "0", background.STAY]
    else:
        settings, count = _divided(settings, queues, concurrency)
        arguments = ["-P", "-m", "worker.serve", ",".join(queues), str(count)]
    environment = background.environment(settings)
    os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606 - no shell, on purpose


def _divided(settings: Settings, queues: Sequence[str], concurrency: int | None) -> tuple[Settings, int]:
    """Return the settings and the number of child processes that `--concurrency` means.

    It counts scoring processes, or training processes where a worker only trains.

    Training runs beside the pool, so a worker that only trains keeps a single child there, for its doorbells.
    """
    if SCORE in queues:
        return settings, concurrency or background.default_concurrency(settings)
    return replace(settings, training_processes=concurrency or settings.training_processes), 1


def _notify(settings: Settings, queue: str, count: int) -> None:
    if settings.broker_url is None:
        background.start(settings, queue, count)
        return
    try:
        # Asked first, and briefly: Celery's own way to find out that Redis is down takes long.
        with Redis.from_url(settings.broker_url, socket_connect_timeout=3, socket_timeout=3) as redis:
            ringing = redis.llen(queue)
        # The app keeps the pool of the first broker it has sent to, and these settings may name another one.
        with app.connection_for_write(settings.broker_url) as connection:
            for _ in range(min(count, MAX_DOORBELLS) - ringing):
                app.send_task(f"relex.{queue}", connection=connection)
    except (RedisError, KombuError, OSError) as exc:  # also of one that is full, a replica, or gives us no right
        raise ServiceUnreachable(f"Redis takes no doorbells ({exc}); workers look for work by themselves") from exc
