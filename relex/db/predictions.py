"""Predictions into Postgres by COPY."""

from itertools import chain

from relex.db.connection import Transaction, driver
from relex.examples import Outcome
from relex.jobs import JobId

COPY_IN = """
    COPY predictions (job_id, row_no, label, probabilities, window_cut, answer_key) FROM STDIN (FORMAT BINARY)
"""


def copy_in(tx: Transaction, job_id: JobId, outcome: Outcome) -> None:
    """Write a shard's predictions; those that were scored with the key under which they answer for others."""
    keyed = ((item, outcome.keys.get(item.row_no)) for item in outcome.scored)
    unkeyed = ((item, None) for item in outcome.answered)
    with driver(tx).cursor() as cursor, cursor.copy(COPY_IN) as copy:
        copy.set_types(["text", "int4", "text", "float4[]", "bool", "uuid"])
        for item, key in chain(keyed, unkeyed):
            copy.write_row((job_id, item.row_no, item.label, list(item.probabilities), item.window_cut, key))
