"""The workers of the fault suite: real Celery workers, each with a proxy of its own, restarted as an operator would."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.faults.proxy import Proxy, Traps
from tests.faults.services import Postgres, RedisServer
from tests.processes import environment, kill, wait_until

TERMS = {"lease_seconds": 1.5, "sweep_seconds": 0.3, "stall_seconds": 3}
"""Of every worker, unless a fault wants others."""

SERVE = ["-P", "-m", "worker.serve", "score", "1"]
"""What `relex worker` becomes; begun directly, as there are many to start."""

QUIET = 10_000.0
"""Seconds between two sweeps of a worker that does not sweep."""


class Worker:
    """A `relex worker` in a process group of its own: the parent that listens and its child that scores."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log
        self._begun = log.stat().st_size

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def said(self, words: str, *, twice: bool = False) -> bool:
        """Whether these words stand in what it has logged."""
        return self.log.read_bytes()[self._begun :].count(words.encode()) >= 1 + twice


class Fleet:
    """Workers by name."""

    def __init__(
        self,
        postgres: Postgres,
        redis: RedisServer,
        home: Path,
        traps: Traps,
        settings: Mapping[str, object],
        plant: str,
    ) -> None:
        self._postgres, self._redis, self._home, self._traps = postgres, redis, home, traps
        self._settings, self._plant = settings, plant
        self._proxies: dict[str, Proxy] = {}
        self.workers: dict[str, Worker] = {}

    def url(self, client: str) -> str:
        """The Postgres of this client, by its own proxy."""
        if client not in self._proxies:
            self._proxies[client] = Proxy(client, self._postgres.socket, self._traps)
        return self._postgres.url_by(self._proxies[client].port)

    def environment(self, client: str, **settings: object) -> dict[str, str]:
        """Of any relex process of the suite."""
        services = {"database_url": self.url(client), "broker_url": self._redis.url, "home": self._home}
        env = environment(**(services | TERMS | dict(self._settings) | settings))
        if self._plant:
            env["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent / "planted"), env["PYTHONPATH"]])
            env["FAULTS_PLANT"] = self._plant
        return env | {"FAULTS_WORKER": client}

    def start(self, name: str, *, clock: bool = False, **settings: object) -> Worker:
        """Start a worker under a name that nobody has; with `clock`, one whose clock is hours ahead."""
        env = self.environment(name, **settings)
        if clock:
            env["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent / "skewed"), env["PYTHONPATH"]])
        log = self._home / f"{name}.log"
        log.touch()
        command = [sys.executable, *SERVE]
        with log.open("ab") as output:
            process = subprocess.Popen(command, env=env, stdout=output, stderr=output, start_new_session=True)
        self.workers[name] = Worker(process, log)
        return self.workers[name]

    def kill(self, *names: str) -> None:
        """kill -9 of workers with all their processes."""
        for name in names:
            kill(self.workers.pop(name).process)

    def end(self, *names: str) -> None:
        """SIGTERM, and wait until they have gone."""
        gone = [self.workers.pop(name) for name in names]
        for worker in gone:
            worker.process.terminate()
        for worker in gone:
            worker.process.wait(timeout=30)
            kill(worker.process)

    def muster(self, *names: str) -> None:
        """Have just these at work: the others are killed, who is missing or has died is started."""
        unwanted = [name for name, each in self.workers.items() if name not in names or each.process.poll() is not None]
        self.kill(*unwanted)
        for name in names:
            if name not in self.workers:
                self.start(name)

    def owner(self, process: int) -> str:
        """The name of the worker that a process belongs to."""
        group = os.getpgid(process)
        return next(name for name, worker in self.workers.items() if worker.process.pid == group)

    def wait_for(self, name: str) -> None:
        """Until a worker listens to its queue."""
        wait_until(lambda: self.workers[name].said(" ready."), 60)

    def close(self) -> None:
        self.kill(*tuple(self.workers))
        for proxy in self._proxies.values():
            proxy.close()


def stop(worker: Worker) -> None:
    worker.signal(signal.SIGSTOP)


def resume(worker: Worker) -> None:
    worker.signal(signal.SIGCONT)
