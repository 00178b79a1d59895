"""The one door for senders: wake who scores, wake who trains, become a worker.

With a broker that means a doorbell in Redis, without one a background process on this machine. A doorbell says
only "there is work"; Postgres says which. It is rung after the commit, and losing one costs seconds.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kombu.exceptions import KombuError
from redis import Redis, RedisError

from relex.embedded import locks
from relex.errors import ServiceUnreachable
from relex.settings import Settings
from worker.app import SCORE, TRAIN, configured

STAY = "--stay"
"""Tells the process without Celery to wait for more work for ever."""

MOST_DOORBELLS = 64
"""Doorbells that may lie in a queue: one a waiting process is enough, one a shard would flood Redis."""


def wake_scorers(settings: Settings, shards: int) -> None:
    """See to it that `shards` waiting shards find someone who scores.

    Raises:
        ServiceUnreachable: Redis does not answer; the workers' own sweep will find the work.
    """
    _wake(settings, SCORE, shards)


def wake_trainers(settings: Settings) -> None:
    """See to it that a waiting training run finds someone who trains.

    Raises:
        ServiceUnreachable: Redis does not answer; the workers' own sweep will find the run.
    """
    _wake(settings, TRAIN, 1)


def run_worker(settings: Settings, queues: Sequence[str], concurrency: int | None) -> None:
    """Become a worker in the foreground; this process is replaced and does not return."""
    count = concurrency or default_concurrency(settings)
    if settings.broker_url is None:
        arguments = ["-m", "worker.local", SCORE if SCORE in queues else TRAIN, "0", STAY]
    else:
        arguments = ["-m", "celery", "-A", "worker.tasks", "worker", "--loglevel", "INFO"]
        arguments += ["--queues", ",".join(queues), "--concurrency", str(count), "-n", f"relex-{os.getpid()}@%h"]
    os.execve(sys.executable, [sys.executable, *arguments], _environment(settings))  # noqa: S606 - no shell, on purpose


def default_concurrency(settings: Settings) -> int:
    """One scorer a core on a CPU; one in all on a GPU, which several would only share."""
    on_gpu = settings.device.startswith("cuda") or (settings.device == "auto" and Path("/dev/nvidiactl").exists())
    return 1 if on_gpu else os.cpu_count() or 1


def lock_of(settings: Settings, queue: str, slot: int) -> Path:
    """The file that the background process in this slot of a queue holds locked while it works."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return settings.home / f"{queue}-{slot}.lock"


def _wake(settings: Settings, queue: str, wanted: int) -> None:
    if settings.broker_url is None:
        _start_background(settings, queue, wanted)
        return
    celery = configured(settings)
    try:
        # Asked first, and briefly: Celery's own way to find out that Redis is down takes long.
        with Redis.from_url(settings.broker_url, socket_connect_timeout=3, socket_timeout=3) as redis:
            ringing = redis.llen(queue)
        for _ in range(min(wanted, MOST_DOORBELLS - ringing)):
            celery.send_task(f"relex.{queue}")
    except (RedisError, KombuError, OSError) as fault:
        raise ServiceUnreachable(f"Redis does not answer ({fault}); workers look for work by themselves") from fault


def _start_background(settings: Settings, queue: str, wanted: int) -> None:
    """Fill the free slots of a queue with background processes: one a core for scoring, one for training.

    They end by themselves when idle. Scoring in one thread a process keeps half its speed beside a busy neighbour;
    one process with a thread a core falls to an eighth.
    """
    slots = default_concurrency(settings) if queue == SCORE else 1
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // slots))}
    log = settings.home / "logs" / f"{queue}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    for slot in range(min(slots, wanted)):
        if locks.is_free(lock_of(settings, queue, slot)):
            with log.open("ab") as output:
                subprocess.Popen(
                    [sys.executable, "-m", "worker.local", queue, str(slot)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    env=threads | _environment(settings),
                )


def _environment(settings: Settings) -> dict[str, str]:
    """This process's environment with the settings in it, flags included."""
    return dict(os.environ) | settings.to_env()
