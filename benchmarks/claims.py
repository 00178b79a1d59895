"""How many shards a second workers can claim and complete in one Postgres, and what a long queue costs.

Twenty threads do what workers do, without examples and predictions: first in a short queue, then in one as long as
that of 100 million rows.

    .venv/bin/python -m benchmarks.claims --server postgresql://postgres@localhost/postgres
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from benchmarks.scratch import arguments, new_job, scratch_database, timed
from relex.db import jobs, shards
from relex.db.connection import Database, Transaction
from relex.domain.examples import Outcome
from relex.domain.jobs import JobId
from relex.flows.sweep import sweep

THREADS = 20
SHARD_ROWS = 512
LEASE_SECONDS = 600.0
HEADER = """
| shards in the queue | completed, 1/s | the next as many | beside an open snapshot | sweep, ms | status, ms |
|---|---|---|---|---|---|
""".strip()


def claim_and_complete(database: Database) -> None:
    """Claim a shard, complete it and close its job, each in its own transaction, as a worker does."""
    with database.transaction() as tx:
        shard = shards.claim(tx, "benchmark", LEASE_SECONDS)
    if shard is None:
        raise SystemExit("no shard was left")
    with database.transaction() as tx:
        shards.complete(tx, shard, Outcome([]))
    with database.transaction() as tx:
        jobs.close_if_ended(tx, shard.job_id)


def per_second(database: Database, count: int) -> float:
    """Measure the shards per second that all threads together claim and complete."""
    connections = [Database(database.url) for _ in range(THREADS)]  # each worker has its own

    def work(number: int) -> None:
        for _ in range(count // THREADS):
            claim_and_complete(connections[number])

    with ThreadPoolExecutor(THREADS) as pool:
        seconds = timed(lambda: list(pool.map(work, range(THREADS))))
    for connection in connections:
        connection.close()
    return count // THREADS * THREADS / seconds


def milliseconds(work: Callable[[], object]) -> float:
    """Time some calls and return the median."""
    return median(timed(work) for _ in range(7)) * 1000


def queue_job(database: Database, count: int) -> JobId:
    """Insert a job with this number of pending shards."""
    job_id = new_job(database, str(count), count * SHARD_ROWS)
    with database.transaction() as tx:
        shards.create_shards(tx, job_id, count * SHARD_ROWS, SHARD_ROWS)
    return job_id


def read_status(tx: Transaction, job_id: JobId) -> None:
    """Run the queries of `relex status`."""
    jobs.progress(tx, jobs.find(tx, job_id))


def main() -> int:
    """Measure and print one Markdown table."""
    parser = arguments(__doc__)
    parser.add_argument("--shards", type=int, nargs="+", default=[10_000, 195_313])
    parser.add_argument("--claims", type=int, default=4_000)
    options = parser.parse_args()
    print(HEADER)  # noqa: T201 - a script's output
    for count in options.shards:
        with scratch_database(options.server) as database:
            job_id = queue_job(database, count)
            speeds = [per_second(database, options.claims), per_second(database, options.claims)]
            with database.transaction(snapshot=True) as tx:  # as an export holds one, long before it ends
                read_status(tx, job_id)
                speeds.append(per_second(database, options.claims))
            with database.transaction() as tx:
                looks = [milliseconds(lambda: sweep(database)), milliseconds(lambda: read_status(tx, job_id))]  # noqa: B023 - called at once
            cells = (f"{count:,}", *(f"{speed:,.0f}" for speed in speeds), *(f"{look:.1f}" for look in looks))
            print(f"| {' | '.join(cells)} |", flush=True)  # noqa: T201 - a script's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
