"""The three faults that matter most, once with the model that comes with relex; the long form plays them at its end."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.scale import write_csv
from relex.domain.jobs import JobId
from relex.files.reading import read_all_examples
from relex.flows.export import export
from tests.faults.arena import Arena, Kind, opened_arena
from tests.faults.oracle import Expected, Result, check_results
from tests.faults.proxy import Moment
from tests.processes import ROOT, wait_until

SENTENCES = ROOT / "data" / "test_data.csv"
ROWS = 1200
SHARDS = 6
"""Some seconds of work each, for a worker with one core."""

SECONDS = 180.0
"""The stated time: torch is loaded twice."""


def play_real(folder: Path) -> Iterator[tuple[str, Result]]:
    """One round of each, against an undisturbed run of the same file by the same workers."""
    folder.mkdir()
    path = folder / "sentences.csv"
    write_csv(path, SENTENCES, ROWS)
    with opened_arena(folder, Kind(0, shipped=True)) as arena:
        arena.reset()
        job = arena.submit(path, SHARDS)
        wait_until(lambda: arena.progress(job).state.ended, SECONDS)
        undisturbed = export(arena.database, job, folder).predictions.read_bytes()
        for disturb in (_kill_a_worker, _lose_redis, _restart_postgres):
            arena.reset()
            begun = time.monotonic()
            job = _disturbed(arena, path, disturb)
            expected = Expected(job, read_all_examples(path), undisturbed=undisturbed)
            yield (
                f"{disturb.__doc__} (shipped model)",
                check_results(arena.database, folder, [expected], begun, SECONDS),
            )


def _disturbed(arena: Arena, path: Path, disturb: Callable[[Arena, str], None]) -> JobId:
    """Submit, and disturb when a worker has just claimed its second shard: it is in a batch."""
    worker: list[str] = []
    trap = arena.trap(Moment.CLAIMED, lambda connection: worker.append(connection.client), nth=2)
    job = arena.submit(path, SHARDS)
    assert trap.sprung.wait(SECONDS)
    time.sleep(0.2)
    disturb(arena, worker[0])
    return job


def _kill_a_worker(arena: Arena, worker: str) -> None:
    """worker killed in a batch"""
    arena.fleet.kill(worker)
    arena.fleet.start(worker)


def _lose_redis(arena: Arena, _: str) -> None:
    """Redis killed and restarted empty"""
    arena.redis.kill()
    time.sleep(1)
    arena.redis.start()


def _restart_postgres(arena: Arena, _: str) -> None:
    """Postgres restarted"""
    arena.postgres.stop()
    time.sleep(1)
    arena.postgres.start()
