"""The prediction cache: what a model version has scored in any job is not scored again.

The key is a column of the prediction itself, so the entries of a job are deleted with it. Only rows that were really
scored have a key: the index contains each content about once, however often it is submitted.
"""

from collections.abc import Collection
from hashlib import blake2b
from uuid import UUID

from relex.db.connection import Transaction, driver
from relex.domain.examples import Example, Prediction

SCORING = 2
"""Version of the scoring code. Increase it with every change of a model's numbers, so that no old row is reused."""

# One index probe for each key, whatever the statistics of Postgres: there are none while a first job is being scored.
LOOKUP = """
    SELECT requested.key, cached.row_no, cached.label, cached.probabilities, cached.truncated
    FROM unnest(%s::uuid[]) AS requested (key) CROSS JOIN LATERAL (
        SELECT row_no, label, probabilities, truncated FROM predictions
        WHERE cache_key = requested.key
        ORDER BY (SELECT created_at FROM jobs WHERE id = job_id) DESC, job_id DESC, row_no DESC
        LIMIT 1
    ) AS cached
"""


def cache_key(model: str, exact: bool, example: Example) -> UUID:
    """Return the cache key of an example: 16 bytes of BLAKE2b over the model version, its mode and the content.

    The sentence comes last and no other part can contain a line end, so different contents make different texts. The
    text of an entity follows from its position.
    """
    subject, object_ = example.subject, example.object
    content = (
        f"{SCORING}\n{model}\n{exact:d}\n{subject.start}\n{subject.end}\n{subject.type}\n"
        f"{object_.start}\n{object_.end}\n{object_.type}\n{example.sentence}"
    )
    return UUID(bytes=blake2b(content.encode(), digest_size=16).digest())


def lookup(tx: Transaction, keys: Collection[UUID]) -> dict[UUID, Prediction]:
    """Return the cached predictions of these keys; of several for one key, that of the newest job, its last row.

    Each has the row number that it had in its own job.
    """
    with driver(tx).cursor(binary=True) as cursor:  # thirty numbers a row as text would take twice as long
        rows = cursor.execute(LOOKUP, [list(keys)]).fetchall()
    return {key: Prediction(row_no, label, tuple(values), cut) for key, row_no, label, values, cut in rows}
