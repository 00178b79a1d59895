"""How long the rows of a plain CSV take from the file into Postgres, beside an earlier checkout, in turns in one run.

The earlier checkout reads the file twice: to check it, and to copy it.

    git worktree add --detach /tmp/before COMMIT
    .venv/bin/python -m benchmarks.submitting --before /tmp/before --rows 100000
"""

import csv
import os
import subprocess
import sys
import tempfile
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from benchmarks.scratch import arguments, compared, in_turns, new_job, scratch_database

ROOT = Path(__file__).parents[1]
BEFORE = """
from relex.files.validation import check_csv
from relex.flows.submit import SubmitOptions, submit

def run(database, path):
    submit(database, path, check_csv(path), SubmitOptions(fresh=True), 512)
"""
NOW = """
from relex.files.inputs import open_input
from relex.flows.submit import SubmitOptions, check_files, submit

def run(database, path):
    with open_input(path) as file:
        submit(database, check_files([file]), SubmitOptions(fresh=True), 512)
"""
MEASURE = """
import sys, time
from pathlib import Path
from relex.db.connection import Database

database = Database(sys.argv[1])
with database.transaction() as tx:
    tx.exec_driver_sql("DELETE FROM jobs")
started = time.perf_counter()
run(database, Path(sys.argv[2]))
print(time.perf_counter() - started)
"""


def write_rows(source: Path, path: Path, rows: int) -> None:
    """Repeat the records of a CSV, each with an id of its own."""
    with source.open(encoding="utf-8-sig", newline="") as file, path.open("w", encoding="utf-8", newline="") as target:
        records = csv.reader(file)
        header = next(records)
        writer = csv.writer(target)
        writer.writerow(header)
        place = header.index("id")
        for number, record in enumerate(islice(cycle(list(records)), rows)):
            writer.writerow([*record[:place], number, *record[place + 1 :]])


def measure(checkout: Path, code: str, url: str, path: Path) -> float:
    """Submit the file in a process of its own, and return the seconds that this took, imports not counted."""
    done = subprocess.run(
        [sys.executable, "-c", code + MEASURE, url, str(path)],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def main() -> int:
    """Measure and print one Markdown table."""
    parser = arguments(__doc__)
    parser.add_argument("--before", type=Path, required=True, help="folder of the earlier checkout")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("| method | us a row | speed beside before |\n|---|---|---|")  # noqa: T201 - a script's output
    with scratch_database(options.server) as database, tempfile.TemporaryDirectory() as folder:
        new_job(database, "registers the model", 1)
        path = Path(folder) / "rows.csv"
        write_rows(options.csv, path, options.rows)
        methods = {
            "before": partial(measure, options.before.resolve(), BEFORE, database.url, path),
            "now": partial(measure, ROOT, NOW, database.url, path),
        }
        for line in compared(in_turns(methods, options.rounds), options.rows):
            print(line)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
