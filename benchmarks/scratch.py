"""What the benchmarks around the scorer share: a database of their own, rows to fill it with, and rounds.

Machines are noisy and differ, so the methods take turns in one run, and only their ratios are reported.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from relex.db import jobs, migrate, model_versions
from relex.db.connection import Database
from relex.domain.examples import Example
from relex.domain.jobs import JobId, NewJob
from relex.embedded.users import use
from relex.files.reading import read_all_examples
from relex.labels import RELATIONS


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Define the options that all of these benchmarks have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="URL of a Postgres where a database may be created; without it one is started")
    parser.add_argument("--csv", type=Path, default=Path("data/test_data.csv"), help="where the sentences come from")
    return parser


@contextmanager
def scratch_database(server: str | None) -> Iterator[Database]:
    """Create a database with all tables and no rows; drop it afterwards."""
    if server is None:
        with tempfile.TemporaryDirectory() as home, use(Path(home)) as url, scratch_database(url) as database:
            yield database
        return
    name = f"relex_benchmark_{os.getpid()}"
    _run(server, "CREATE DATABASE {}", name)
    database = Database(make_url(server).set(database=name).render_as_string(hide_password=False))
    try:
        migrate.upgrade(database)
        yield database
    finally:
        database.close()
        _run(server, "DROP DATABASE {} WITH (FORCE)", name)


def many(csv: Path, rows: int) -> list[Example]:
    """Repeat the examples of a file up to a number of rows, each with an id of its own."""
    repeated = islice(cycle(read_all_examples(csv)), rows)
    return [replace(example, row_no=row_no, id=str(row_no)) for row_no, example in enumerate(repeated)]


def new_job(database: Database, key: str, rows: int) -> JobId:
    """Insert a job of a made-up model, without examples and shards."""
    with database.transaction() as tx:
        model = model_versions.current(tx) or model_versions.register(tx, "made-up", RELATIONS, {"config.json": "none"})
        model_versions.promote(tx, model)
        job_id = jobs.insert_job(tx, NewJob(key, "made-up.csv", "0" * 64, str(model), rows, 0))
    if job_id is None:
        raise ValueError(f"there is a job with the key {key}")
    return job_id


def in_turns(methods: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Time each method in each round; another one begins in each round."""
    durations: dict[str, list[float]] = {name: [] for name in methods}
    names = list(methods)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            durations[name].append(methods[name]())
    return durations


def compared(durations: Mapping[str, list[float]], rows: int) -> list[str]:
    """Format a Markdown table: median time per row, and the speed relative to the first method's, round by round."""
    base = next(iter(durations.values()))
    lines = []
    for name, seconds in durations.items():
        ratios = sorted(one / other for one, other in zip(base, seconds, strict=True))
        middle = statistics.median(ratios)
        microseconds = statistics.median(seconds) / rows * 1e6
        lines.append(f"| {name} | {microseconds:.1f} | {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) |")
    return lines


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _run(server: str, statement: str, name: str) -> None:
    url = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
