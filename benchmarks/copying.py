"""How close loading rows, writing predictions and exporting them come to bare COPY of the same rows.

Bare COPY has its rows ready in memory (in) or discards them (out); relex makes them from values and writes a file.

    .venv/bin/python -m benchmarks.copying --csv KLUE_RE/test_data.csv --server postgresql://postgres@localhost/postgres
"""

import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from struct import pack, unpack
from uuid import UUID

from psycopg import sql

from benchmarks.scratch import arguments, compared, in_turns, many, new_job, scratch_database, timed
from relex.db import examples, predictions, results
from relex.db.connection import Database, driver
from relex.domain.examples import Example, Outcome, Prediction
from relex.domain.jobs import JobId
from relex.files.writing import write_predictions
from relex.labels import RELATIONS

SHARD_ROWS = 512
BLOCK_BYTES = 1 << 16
Methods = Mapping[str, Callable[[], float]]

EXAMPLES_OUT = sql.SQL("COPY (SELECT * FROM examples ORDER BY row_no) TO STDOUT (FORMAT BINARY)")
EXAMPLES_IN = sql.SQL("COPY examples FROM STDIN (FORMAT BINARY)")
PREDICTIONS_IN = sql.SQL(predictions.COPY_IN)
# The same rows in the same order, as Postgres itself would write them.
BARE_OUT = sql.SQL("""
    COPY (
        SELECT examples.id, predictions.label, predictions.probabilities
        FROM predictions JOIN examples USING (job_id, row_no) WHERE job_id = {} ORDER BY row_no
    ) TO STDOUT
""")


def loading(database: Database, job_id: JobId, items: Sequence[Example]) -> Methods:
    """Load examples into an empty table, in one transaction, as `relex submit` does."""

    def relex() -> None:
        with database.transaction() as tx:
            examples.copy_in(tx, job_id, ((each, None) for each in items))

    relex()
    ready = b"".join(receive_blocks(database, EXAMPLES_OUT))
    blocks = [ready[first : first + BLOCK_BYTES] for first in range(0, len(ready), BLOCK_BYTES)]
    methods = {"bare COPY": partial(send_blocks, database, EXAMPLES_IN, [blocks]), "relex": relex}
    return {name: partial(fill_empty, database, "examples", work) for name, work in methods.items()}


def writing(database: Database, job_id: JobId, items: Sequence[Example]) -> Methods:
    """Write predictions into an empty table, one transaction for each shard, as workers do."""
    rng = random.Random(5)  # noqa: S311 - no secret
    outcomes = [draw_outcome(items[first : first + SHARD_ROWS], rng) for first in range(0, len(items), SHARD_ROWS)]
    ready = [[predictions.copy_buffer(job_id, outcome)] for outcome in outcomes]

    def relex() -> None:
        for outcome in outcomes:
            with database.transaction() as tx:
                predictions.copy_in(tx, job_id, outcome)

    def unchecked() -> None:
        set_trigger(database, "DISABLE")
        relex()
        set_trigger(database, "ENABLE")

    methods = {
        "bare COPY": partial(send_blocks, database, PREDICTIONS_IN, ready),
        "relex": relex,
        "relex, two results of a row not refused": unchecked,
        "psycopg's write_row": partial(write_rows, database, job_id, outcomes),
    }
    return {name: partial(fill_empty, database, "predictions", work) for name, work in methods.items()}


def exporting(database: Database, job_id: JobId, folder: Path) -> Methods:
    """Export the predictions; relex writes them to a file on the disk."""

    def bare() -> None:
        for _ in receive_blocks(database, BARE_OUT.format(sql.Literal(job_id))):
            pass

    def relex() -> None:
        with database.transaction(snapshot=True) as tx:
            write_predictions(folder / "out.csv", results.copy_csv(tx, job_id))

    return {"bare COPY": partial(timed, bare), "relex": partial(timed, relex)}


def draw_outcome(shard: Sequence[Example], rng: random.Random) -> Outcome:
    """Draw predictions like a scorer's: probabilities are float32, and each row has a cache key."""
    made = []
    for example in shard:
        weights = [rng.random() ** 8 for _ in RELATIONS]
        values = unpack("30f", pack("30f", *(weight / sum(weights) for weight in weights)))
        made.append(Prediction(example.row_no, RELATIONS[values.index(max(values))], values))
    return Outcome(made, keys={item.row_no: UUID(int=rng.getrandbits(128)) for item in made})


def write_rows(database: Database, job_id: JobId, outcomes: Iterable[Outcome]) -> None:
    """Write predictions by psycopg's writer of single rows, as relex used to do."""
    for outcome in outcomes:
        with database.transaction() as tx, driver(tx).cursor() as cursor, cursor.copy(PREDICTIONS_IN) as copy:
            copy.set_types(["text", "int4", "text", "float4[]", "bool", "uuid"])
            for item in outcome.scored:
                values = (item.row_no, item.label, list(item.probabilities), item.truncated)
                copy.write_row((job_id, *values, outcome.keys[item.row_no]))


def send_blocks(database: Database, statement: sql.SQL, transactions: Iterable[Iterable[bytes]]) -> None:
    """Send prepared blocks into the table."""
    for blocks in transactions:
        with database.transaction() as tx, driver(tx).cursor() as cursor, cursor.copy(statement) as copy:
            for block in blocks:
                copy.write(block)


def receive_blocks(database: Database, statement: sql.Composable) -> Iterable[bytes]:
    """Yield the blocks that a COPY returns."""
    with database.transaction() as tx, driver(tx).cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy:
            yield bytes(block)


def set_trigger(database: Database, state: str) -> None:
    """Switch the trigger that rejects a prediction for a row with a row error on or off."""
    with database.transaction() as tx:
        tx.exec_driver_sql(f"ALTER TABLE predictions {state} TRIGGER one_result")


def fill_empty(database: Database, table: str, work: Callable[[], None]) -> float:
    """Empty a table, then time how long it takes to fill it."""
    with database.transaction() as tx:
        tx.exec_driver_sql(f"TRUNCATE {table}")
    return timed(work)


def main() -> int:
    """Measure and print one Markdown table."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    print("| rows | method | us a row | speed beside bare COPY |\n|---|---|---|---|")  # noqa: T201 - a script's output
    with scratch_database(options.server) as database, tempfile.TemporaryDirectory() as folder:
        items = many(options.csv, options.rows)
        job_id = new_job(database, "copying", options.rows)
        operations = {
            "loaded": loading(database, job_id, items),
            "written": writing(database, job_id, items),
            "exported": exporting(database, job_id, Path(folder)),
        }
        for operation, methods in operations.items():
            for line in compared(in_turns(methods, options.rounds), options.rows):
                print(f"| {operation} {line}", flush=True)  # noqa: T201 - a script's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
