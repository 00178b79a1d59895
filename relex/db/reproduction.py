"""Predictions of a job to score again, each with what it was scored with."""

from collections.abc import Sequence

from sqlalchemy import select

from relex.db import examples as rows
from relex.db.connection import Transaction, driver
from relex.db.predictions import cache_key
from relex.db.tables import examples
from relex.domain.examples import Example, Prediction
from relex.domain.jobs import Job
from relex.domain.reproduction import StoredRow

# A reused prediction was scored with what scored the one of the same key and the same bits, whatever job that is of.
# If that is gone, nothing is known. A fresh job reuses nothing.
STORED = """
    SELECT examples.id, stored.row_no, stored.label, stored.probabilities, stored.truncated, (
        SELECT environment FROM shards
        WHERE job_id = scored.job_id AND first_row <= scored.row_no AND end_row > scored.row_no
    )
    FROM unnest(%(rows)s::int[], %(keys)s::uuid[]) AS wanted (row_no, key)
    JOIN predictions AS stored USING (row_no) JOIN examples USING (job_id, row_no)
    LEFT JOIN LATERAL (
        SELECT stored.job_id, stored.row_no WHERE %(fresh)s OR stored.cache_key IS NOT NULL
        UNION ALL (
            SELECT job_id, row_no FROM predictions
            WHERE cache_key = wanted.key AND probabilities = stored.probabilities
            ORDER BY job_id = stored.job_id DESC, (SELECT created_at FROM jobs WHERE id = job_id) DESC LIMIT 1
        ) LIMIT 1
    ) AS scored ON true
    WHERE stored.job_id = %(job)s ORDER BY stored.row_no
"""


def find_rows(tx: Transaction, job: Job, ids: Sequence[str]) -> dict[int, str]:
    """Return the ids of a job's rows that have one of these ids, by row number."""
    query = select(examples.c.row_no, examples.c.id).where(examples.c.job_id == job.id).where(examples.c.id.in_(ids))
    return {row.row_no: row.id for row in tx.execute(query)}


def read_stored(tx: Transaction, job: Job, row_numbers: Sequence[int]) -> tuple[list[Example], list[StoredRow]]:
    """Return those of the rows that have a prediction, and their predictions, both in the order of the file."""
    by_number = rows.of_rows(tx, job.id, row_numbers)
    keys = [cache_key(job.model, job.exact, example) for example in by_number.values()]
    arguments = {"rows": list(by_number), "keys": keys, "fresh": job.fresh, "job": job.id}
    with driver(tx).cursor(binary=True) as cursor:
        stored = [
            StoredRow(id_, Prediction(row_no, label, tuple(values), truncated), environment)
            for id_, row_no, label, values, truncated, environment in cursor.execute(STORED, arguments)
        ]
    return [by_number[row.prediction.row_no] for row in stored], stored
