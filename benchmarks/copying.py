"""How near loading rows, writing predictions and exporting them come to bare COPY of the same rows.

Bare COPY has its rows ready in memory (in) or throws them away (out); relex makes them from values and writes a file.

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
from relex.db import examples, predictions
from relex.db.connection import Database, driver
from relex.domain.examples import Example, Outcome, Prediction
from relex.domain.jobs import JobId
from relex.files.writing import write_predictions
from relex.labels import RELATIONS

SHARD_ROWS = 512
BLOCK_BYTES = 1 << 16
Contest = Mapping[str, Callable[[], float]]

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


def loading(database: Database, job_id: JobId, items: Sequence[Example]) -> Contest:
    """Examples into an empty table, in one transaction, as a submit does."""

    def relex() -> None:
        with database.transaction() as tx:
            examples.copy_in(tx, job_id, items)

    relex()
    ready = b"".join(received(database, EXAMPLES_OUT))
    blocks = [ready[first : first + BLOCK_BYTES] for first in range(0, len(ready), BLOCK_BYTES)]
    contestants = {"bare COPY": partial(sent, database, EXAMPLES_IN, [blocks]), "relex": relex}
    return {name: partial(into_empty, database, "examples", work) for name, work in contestants.items()}


def writing(database: Database, job_id: JobId, items: Sequence[Example]) -> Contest:
    """Predictions into an empty table, a transaction a shard, as workers do."""
    rng = random.Random(5)  # noqa: S311 - no secret
    outcomes = [drawn(items[first : first + SHARD_ROWS], rng) for first in range(0, len(items), SHARD_ROWS)]
    ready = [[predictions.copy_buffer(job_id, outcome)] for outcome in outcomes]

    def relex() -> None:
        for outcome in outcomes:
            with database.transaction() as tx:
                predictions.copy_in(tx, job_id, outcome)

    def unchecked() -> None:
        set_trigger(database, "DISABLE")
        relex()
        set_trigger(database, "ENABLE")

    contestants = {
        "bare COPY": partial(sent, database, PREDICTIONS_IN, ready),
        "relex": relex,
        "relex, two results of a row not refused": unchecked,
        "psycopg's write_row": partial(row_by_row, database, job_id, outcomes),
    }
    return {name: partial(into_empty, database, "predictions", work) for name, work in contestants.items()}


def exporting(database: Database, job_id: JobId, folder: Path) -> Contest:
    """Predictions out of the table that holds them now; relex' are a file on the disk at the end."""

    def bare() -> None:
        for _ in received(database, BARE_OUT.format(sql.Literal(job_id))):
            pass

    def relex() -> None:
        with database.transaction(snapshot=True) as tx:
            write_predictions(folder / "out.csv", examples.copy_out(tx, job_id))

    return {"bare COPY": partial(timed, bare), "relex": partial(timed, relex)}


def drawn(shard: Sequence[Example], rng: random.Random) -> Outcome:
    """Predictions such as a scorer makes: probabilities are float32, and each row has a key."""
    made = []
    for example in shard:
        weights = [rng.random() ** 8 for _ in RELATIONS]
        values = unpack("30f", pack("30f", *(weight / sum(weights) for weight in weights)))
        made.append(Prediction(example.row_no, RELATIONS[values.index(max(values))], values))
    return Outcome(made, keys={item.row_no: UUID(int=rng.getrandbits(128)) for item in made})


def row_by_row(database: Database, job_id: JobId, outcomes: Iterable[Outcome]) -> None:
    """What relex did before."""
    for outcome in outcomes:
        with database.transaction() as tx, driver(tx).cursor() as cursor, cursor.copy(PREDICTIONS_IN) as copy:
            copy.set_types(["text", "int4", "text", "float4[]", "bool", "uuid"])
            for item in outcome.scored:
                values = (item.row_no, item.label, list(item.probabilities), item.truncated)
                copy.write_row((job_id, *values, outcome.keys[item.row_no]))


def sent(database: Database, statement: sql.SQL, transactions: Iterable[Iterable[bytes]]) -> None:
    """Blocks that are ready, into the table."""
    for blocks in transactions:
        with database.transaction() as tx, driver(tx).cursor() as cursor, cursor.copy(statement) as copy:
            for block in blocks:
                copy.write(block)


def received(database: Database, statement: sql.Composable) -> Iterable[bytes]:
    """What a COPY delivers, block by block."""
    with database.transaction() as tx, driver(tx).cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy:
            yield bytes(block)


def set_trigger(database: Database, state: str) -> None:
    """Let Postgres check new predictions for row errors of the same rows, or not."""
    with database.transaction() as tx:
        tx.exec_driver_sql(f"ALTER TABLE predictions {state} TRIGGER one_result")


def into_empty(database: Database, table: str, work: Callable[[], None]) -> float:
    """The seconds that it takes to fill a table; emptying it does not count."""
    with database.transaction() as tx:
        tx.exec_driver_sql(f"TRUNCATE {table}")
    return timed(work)


def main() -> int:
    """Measure and print one Markdown table."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    print("| rows | contestant | us a row | speed beside bare COPY |\n|---|---|---|---|")  # noqa: T201 - a script's output
    with scratch_database(asked.server) as database, tempfile.TemporaryDirectory() as folder:
        items = many(asked.csv, asked.rows)
        job_id = new_job(database, "copying", asked.rows)
        told = {
            "loaded": loading(database, job_id, items),
            "written": writing(database, job_id, items),
            "exported": exporting(database, job_id, Path(folder)),
        }
        for what, contestants in told.items():
            for line in compared(in_turns(contestants, asked.rounds), asked.rows):
                print(f"| {what} {line}", flush=True)  # noqa: T201 - a script's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
