"""Where a fault happens: the suite's own services and workers, the file that is scored, and a hold on any batch."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from subprocess import DEVNULL, CompletedProcess, Popen

from redis import RedisError
from sqlalchemy import make_url

from relex.db import jobs, migrate
from relex.db.connection import Database
from relex.domain.jobs import JobId, Progress
from relex.errors import DatabaseUnreachable, ServiceUnreachable
from relex.files.validation import check_table
from relex.flows.submit import SubmitOptions
from relex.registry import model_versions
from relex.settings import Settings
from tests.factories import register_model, submit_file
from tests.faults import truth
from tests.faults.fleet import TERMS, Fleet
from tests.faults.proxy import Action, Moment, Trap, Traps
from tests.faults.services import Postgres, RedisServer, small_disk
from tests.processes import wait_until
from worker.dispatch import notify_scorers

PAIR = ("a", "b")
"""The workers that are always there."""

FAKE = "tests.faults.scorer:PlannedScorer"

LIMITED = """
import resource, runpy, sys
most = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
runpy.run_module("cli.main", run_name="__main__")
"""
"""A command that may not write more than so many bytes to a file; -1: as many as it likes."""

PLAINLY = SubmitOptions()

LEASE = TERMS["lease_seconds"]


@dataclass(frozen=True)
class Kind:
    """What is scored, by whom, and whether a bug is planted into it."""

    rows: int
    plant: str = ""
    shipped: bool = False
    """With the model that comes with relex, in place of the fake one."""

    @property
    def settings(self) -> dict[str, object]:
        """Of the workers. Loading a real model may take longer than a fake one may be stalled."""
        return {"stall_seconds": 300, "device": "cpu"} if self.shipped else {"scorer": FAKE}


class Arena:
    """One for many rounds: `reset` before each."""

    def __init__(self, folder: Path, postgres: Postgres, redis: RedisServer, kind: "Kind", *, disk: bool) -> None:
        self.folder, self.postgres, self.redis, self.small_disk = folder, postgres, redis, disk
        self.rows = kind.rows
        self.home = folder / "home"
        self.plans = self.home / "plans"
        self.plans.mkdir(parents=True)
        self.traps = Traps()
        self.fleet = Fleet(postgres, redis, self.home, self.traps, kind.settings, kind.plant)
        self.database = Database(postgres.url)
        self.settings = Settings(database_url=postgres.url, broker_url=redis.url, home=self.home)
        migrate.upgrade(self.database)
        if kind.shipped:
            model_versions.register_shipped(self.database, self.settings)
        else:
            register_model(self.database, self.home)

    @contextmanager
    def other_database(self) -> Iterator[Database]:
        """A second database on the same server, with all tables and no rows; its processes have the same home."""
        with self.database.session() as session:
            session.exec_driver_sql("CREATE DATABASE other")
        other = Database(make_url(self.postgres.url).set(database="other").render_as_string(hide_password=False))
        try:
            migrate.upgrade(other)
            yield other
        finally:
            other.close()
            with self.database.session() as session:
                session.exec_driver_sql("DROP DATABASE other WITH (FORCE)")

    def reset(self) -> None:
        """As if nothing had been: no job, no doorbell, no plan, no trap; services and the two workers are there."""
        self.postgres.start()
        self.redis.revive()
        self.traps.clear()
        for path in self.plans.iterdir():
            path.unlink(missing_ok=True)
        wait_until(self._emptied)
        with self.redis.client() as redis:
            redis.flushall()
        self.fleet.muster(*PAIR)

    def file(self, rows: int = 0) -> Path:
        """The undisturbed file, of the arena's size or another."""
        rows = rows or self.rows
        return truth.write_file(self.folder / f"plain-{rows}.csv", truth.plain(rows))

    def submit(self, path: Path | None = None, shards: int = 12, options: SubmitOptions = PLAINLY) -> JobId:
        """Queue a file in about so many shards, and ring as the command does."""
        path = path or self.file()
        rows = check_table(path).accepted
        queued = submit_file(self.database, path, options, -(-rows // shards))
        self.ring(queued.shards)
        return queued.job_id

    def command(self, *arguments: str | Path, largest_file: int = -1) -> CompletedProcess[str]:
        """Run a relex command to its end, through a proxy of its own; no file of its may grow beyond so many bytes."""
        return subprocess.run(
            [sys.executable, "-c", LIMITED, str(largest_file), *map(str, arguments)],
            env=self.fleet.environment("command", shard_rows=-(-self.rows // 12)),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def command_started(self, *arguments: str | Path) -> Popen[bytes]:
        """Start one, and continue."""
        env = self.fleet.environment("command", shard_rows=-(-self.rows // 12))
        words = [sys.executable, "-m", "cli.main", *map(str, arguments)]
        return Popen(words, env=env, cwd=self.folder, stdout=DEVNULL, stderr=DEVNULL)

    def command_submit(self) -> JobId:
        """`relex submit` of the plain file."""
        done = self.command("submit", self.file())
        assert done.returncode == 0, done.stderr
        return JobId(done.stdout.strip())

    def ring(self, times: int) -> None:
        """Redis down is a warning, as in the command."""
        with suppress(ServiceUnreachable):
            notify_scorers(self.settings, times)

    def plan(self, draw: Random, worker: str | None = None) -> None:
        """Hold a process in a batch that is drawn, one of the first seven of a shard."""
        batch = draw.randrange(7)
        (self.plans / (f"{batch}.{worker}" if worker else f"{batch}")).touch()

    def held(self, *but: int) -> int:
        """The process that is held, and is none of these; waits for it."""
        wait_until(lambda: any(set(self._held()) - set(but)))
        return next(process for process in self._held() if process not in but)

    def let_go(self, process: int, word: str = "") -> None:
        """End a hold; the word says how the process continues (see `scorer.py`)."""
        if word:
            (self.plans / f"word-{process}").write_text(word)
        (self.plans / f"held-{process}").unlink()

    def hold(self, draw: Random) -> tuple[JobId, str, int]:
        """Submit and wait until a worker is held in a batch: the job, the worker's name, its process."""
        self.plan(draw)
        job = self.submit()
        process = self.held()
        return job, self.fleet.owner(process), process

    def trap(self, moment: Moment, action: Action, nth: int = 1, client: str | None = None) -> Trap:
        return self.traps.set(moment, action, nth, client)

    def progress(self, job: JobId) -> Progress:
        with self.database.transaction(snapshot=True) as tx:
            return jobs.progress(tx, jobs.find(tx, job))

    def has_ended(self, job: JobId) -> bool:
        """Whether a job has ended; False while Postgres does not answer."""
        with suppress(DatabaseUnreachable):
            return self.progress(job).state.ended
        return False

    def ask(self, query: str) -> int:
        """One number from Postgres."""
        with self.database.transaction() as tx:
            return int(tx.exec_driver_sql(query).scalar_one())

    def doorbells(self) -> int:
        with suppress(RedisError), self.redis.client() as redis:
            return int(redis.llen("score"))
        return 0

    def pause(self, draw: Random, most: float = 0.3) -> None:
        """A moment that is drawn."""
        time.sleep(draw.random() * most)

    def _emptied(self) -> bool:
        """Whether all jobs are gone now; a sweep may be in the way."""
        with suppress(DatabaseUnreachable), self.database.transaction() as tx:
            tx.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
            tx.exec_driver_sql("TRUNCATE jobs CASCADE")
            return True
        return False

    def _held(self) -> list[int]:
        return [int(path.name.removeprefix("held-")) for path in self.plans.glob("held-*")]


@contextmanager
def opened_arena(folder: Path, kind: Kind) -> Iterator[Arena]:
    """Services and folders of one's own; nothing of them is left behind."""
    with ExitStack() as stack:
        disk, is_small = stack.enter_context(small_disk())
        postgres = Postgres(disk)
        stack.callback(postgres.close)
        redis = RedisServer(folder)
        stack.callback(redis.kill)
        arena = Arena(folder, postgres, redis, kind, disk=is_small)
        stack.callback(arena.database.close)
        stack.callback(arena.fleet.close)
        yield arena
