"""What a model version has said before of the same content, in any job: such rows need no scoring.

The key stands on the prediction itself, so that answers go when their job goes and nothing can point to them in vain.
Only rows that were really scored carry one: the index holds each content about once, however often it comes.
"""

from collections.abc import Collection
from hashlib import blake2b
from uuid import UUID

from relex.db.connection import Transaction, driver
from relex.examples import Example, Prediction

SCORING = 2
"""Raised by whoever changes the numbers that a model gives: what was said before then answers nobody."""

# One probe of the index a key, whatever Postgres' statistics say: they are none while a first job is being scored.
KNOWN = """
    SELECT asked.key, said.row_no, said.label, said.probabilities, said.window_cut
    FROM unnest(%s::uuid[]) AS asked (key) CROSS JOIN LATERAL (
        SELECT row_no, label, probabilities, window_cut FROM predictions
        WHERE answer_key = asked.key
        ORDER BY (SELECT created_at FROM jobs WHERE id = job_id) DESC, job_id DESC, row_no DESC
        LIMIT 1
    ) AS said
"""


def key_of(model: str, exact: bool, example: Example) -> UUID:
    """Equal where the same model version, in the same mode, sees the same content: 16 bytes of BLAKE2b.

    The sentence comes last and no other part can hold a line end, so different contents make different texts. An
    entity's own text follows from its place.
    """
    subject, object_ = example.subject, example.object
    content = (
        f"{SCORING}\n{model}\n{exact:d}\n{subject.start}\n{subject.end}\n{subject.type}\n"
        f"{object_.start}\n{object_.end}\n{object_.type}\n{example.sentence}"
    )
    return UUID(bytes=blake2b(content.encode(), digest_size=16).digest())


def known(tx: Transaction, keys: Collection[UUID]) -> dict[UUID, Prediction]:
    """The predictions with these keys, as far as there are any; of several that of the newest job, its last row.

    Each has the row number that it had in its own job.
    """
    with driver(tx).cursor(binary=True) as cursor:  # thirty numbers a row as text would take twice as long
        found = cursor.execute(KNOWN, [list(keys)]).fetchall()
    return {key: Prediction(row_no, label, tuple(values), cut) for key, row_no, label, values, cut in found}
