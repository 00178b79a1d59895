"""Background processes of this machine, which replace a worker where there is no broker; they do not use Celery.

They exit when idle. Each command that finds queued work starts them again: submit, train, and every status, because a
process may have been killed or the machine restarted.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from relex.embedded import locks
from relex.errors import InvalidConfig
from relex.flows.sweep import Waiting
from relex.hints import doctor as hints
from relex.settings import Settings, make_home

SCORE = "score"
"""Name of the queue of shards, of its lock files and of its doorbells in Redis."""

TRAIN = "train"
"""The same for training runs."""

MAX_PROCESSES = 4
"""Maximum number of scoring processes; each one loads the weights."""

STAY = "--stay"
"""Flag for a process that keeps waiting for more work."""

WITH_PARENT = "--with-parent="
"""Flag for a process that ends when the one that started it ends."""


def revive(settings: Settings, waiting: Waiting) -> None:
    """Without a broker, start background processes for the queued work."""
    if settings.broker_url is None:
        if waiting.shards:
            start(settings, SCORE, waiting.shards)
        if waiting.runs:
            start(settings, TRAIN, 1)


def start(settings: Settings, queue: str, count: int) -> None:
    """Fill free slots of a queue with processes: `default_concurrency` for scoring, one for training."""
    slots = default_concurrency(settings) if queue == SCORE else 1
    threads = {"OMP_NUM_THREADS": str(share_of_cores(slots))}
    log = settings.home / "logs" / f"{queue}.log"
    make_home(settings.home)
    log.parent.mkdir(exist_ok=True)
    for slot in range(min(slots, count)):
        if locks.is_free(lock_of(settings, queue, slot)):
            with log.open("ab") as output:
                subprocess.Popen(
                    [sys.executable, "-P", "-m", "worker.local", queue, str(slot)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    env=threads | environment(settings),
                )


def default_concurrency(settings: Settings) -> int:
    """How many processes score: while one reads, tokenizes or writes a shard, another computes.

    Two keep a GPU busy. On a CPU each has its share of the cores (a lane a core, `relex.inference.lanes`), and few hold
    the weights of a large machine's many cores.
    """
    on_gpu = settings.device.startswith("cuda") or (settings.device == "auto" and Path("/dev/nvidiactl").exists())
    return 2 if on_gpu else min(max(2, os.cpu_count() or 1), MAX_PROCESSES)


def share_of_cores(processes: int) -> int:
    """Return the number of threads of each process; torch reads it from OMP_NUM_THREADS."""
    return -(-(os.cpu_count() or 1) // processes)  # rounded up: one lane too many is better than an idle core


def lock_of(settings: Settings, queue: str, slot: int) -> Path:
    """Return the file that the process in this slot of a queue holds locked while it works.

    Databases that share a home have slots of their own: a process works for one database.
    """
    try:
        make_home(settings.home)
    except OSError as error:
        raise InvalidConfig(f"{settings.home}: cannot be made: {error.strerror}; {hints.other_home()}") from error
    url = settings.database_url
    database = f"{hashlib.sha256(url.encode()).hexdigest()[:8]}-" if url else ""
    return settings.home / f"{queue}-{database}{slot}.lock"


def environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment with the settings, options of the command line included."""
    return dict(os.environ) | settings.to_env()
