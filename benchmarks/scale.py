"""Time and memory of each stage around the scorer, and whether a row costs more in a larger file.

A CSV of many different sentences is submitted, scored by two worker processes with a scorer that costs next to
nothing, and exported, all by the real commands and processes.

    .venv/bin/python -m benchmarks.scale --csv KLUE_RE/test_data.csv --server postgresql://postgres@localhost/postgres
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from benchmarks.scratch import arguments, scratch_database
from relex.db import jobs
from relex.db.connection import Database
from relex.domain.examples import Entity
from relex.embedded import locks
from relex.files.reading import read_all_examples
from relex.settings import Settings
from worker.background import SCORE, lock_of

ROOT = Path(__file__).parent.parent
WORKERS = 2
SIZES = """
    SELECT relname, pg_relation_size(oid) + COALESCE(pg_relation_size(NULLIF(reltoastrelid, 0)), 0) FROM pg_class
    WHERE relname ~ '^(examples|predictions|shards)(_.*)?$' ORDER BY relname
"""


@dataclass(frozen=True)
class Stage:
    """The time and memory of one stage of a job."""

    name: str
    seconds: float
    peaks: tuple[int, ...]
    """Peak resident memory of each of its processes, in KiB."""

    def line(self, rows: int) -> str:
        """Format the stage as a line of the table."""
        cost = self.seconds / rows * 1e6
        memory = ", ".join(f"{peak / 1024:.0f}" for peak in self.peaks)
        return f"| {rows:,} | {self.name} | {self.seconds:.1f} | {rows / self.seconds:,.0f} | {cost:.1f} | {memory} |"


class Commands:
    """Runs of relex's own commands and processes, with one database and one home folder."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.settings = Settings(
            database_url=database.url, home=folder / "home", scorer="benchmarks.quick_scorer:open_quick", idle_seconds=1
        )
        other = {name: value for name, value in os.environ.items() if not name.startswith("RELEX_")}
        self._env = other | self.settings.to_env() | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._folder = folder

    def run(self, *commands: tuple[str | Path, ...]) -> tuple[float, tuple[int, ...]]:
        """Run some commands in parallel until all have ended; return the seconds and the peak memory of each."""
        start = time.perf_counter()
        with ExitStack() as stack:
            processes = [stack.enter_context(self._started(command)) for command in commands]
            peaks = [0] * len(processes)
            while any(process.poll() is None for process in processes):
                peaks = [max(peak, _peak(process.pid)) for peak, process in zip(peaks, processes, strict=True)]
                time.sleep(0.02)
        return time.perf_counter() - start, tuple(peaks)

    @contextmanager
    def nobody_scores(self) -> Iterator[None]:
        """Keep `relex submit` from starting workers, by taking all slots."""
        with ExitStack() as stack:
            for slot in range(os.cpu_count() or 1):
                stack.enter_context(locks.try_exclusive(lock_of(self.settings, SCORE, slot)))
            yield

    @contextmanager
    def _started(self, command: tuple[str | Path, ...]) -> Iterator[subprocess.Popen[bytes]]:
        words = [sys.executable, "-P", "-m", *map(str, command)]
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(words, env=self._env, cwd=self._folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise SystemExit((self._folder / "log").read_text())


def measure(database: Database, folder: Path, path: Path) -> list[Stage]:
    """Run one file through all stages."""
    relex = Commands(database, folder)
    relex.run(("cli.main", "db", "upgrade"))  # registers the model that comes with relex
    with relex.nobody_scores():
        submitted = Stage("submit", *relex.run(("cli.main", "submit", path, "--quiet")))
    workers = [("worker.local", SCORE, str(slot)) for slot in range(WORKERS)]
    _, peaks = relex.run(*workers)  # they end after a while without work
    with database.transaction() as tx:
        progress = jobs.progress(tx, jobs.find(tx, "@last"))
    scored = Stage(f"score, {WORKERS} workers", progress.seconds, peaks)
    exported = Stage("export", *relex.run(("cli.main", "export", "--out", folder / "out", "--quiet")))
    if progress.done != progress.job.total or progress.reused or progress.failed:
        raise SystemExit(f"not all rows were scored: {progress}")
    return [submitted, scored, exported]


def write_csv(path: Path, source: Path, rows: int) -> None:
    """Write a file of different sentences: those of the source, each with a number appended."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "sentence", "subject_entity", "object_entity"])
        for number, each in enumerate(islice(cycle(read_all_examples(source)), rows)):
            writer.writerow([number, f"{each.sentence} ({number})", _cell(each.subject), _cell(each.object)])


def _cell(entity: Entity) -> str:
    return repr({"word": entity.text, "start_idx": entity.start, "end_idx": entity.end - 1, "type": entity.type})


def _peak(process: int) -> int:
    """Read the peak resident memory of a process in KiB, 0 if it has ended."""
    with suppress(OSError):
        match = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
        return int(match[1]) if match else 0
    return 0


def main() -> int:
    """Measure and print two Markdown tables: the stages, and the size of the tables after the largest file."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    print("| rows | stage | s | rows/s | us a row | peak MiB |\n|---|---|---|---|---|---|")  # noqa: T201 - a script
    for rows in options.rows:
        with scratch_database(options.server) as database, tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "many.csv")
            write_csv(path, options.csv, rows)
            for stage in measure(database, Path(folder), path):
                print(stage.line(rows), flush=True)  # noqa: T201 - a script's output
            with database.transaction() as tx:
                sizes = tx.exec_driver_sql(SIZES).all()
    print(f"\n| in Postgres after {rows:,} rows | bytes a row |\n|---|---|")  # noqa: T201 - a script's output
    for name, size in sizes:
        print(f"| {name} | {size / rows:.1f} |")  # noqa: T201 - a script's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
