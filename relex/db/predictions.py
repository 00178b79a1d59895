"""Predictions into Postgres: a shard's rows as one buffer in the form of binary COPY.

The standard library's `struct` packs it: in a fraction of the time of psycopg's writer of single rows, and no slower
than NumPy, which must first turn every Python float and which no command should wake (docs/speed.md). A row is its
number of columns, then for each column the length in bytes and the value, all big-endian:

    job_id text, row_no int4, label text, probabilities float4[], window_cut bool, answer_key uuid or NULL
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from struct import Struct, pack
from uuid import UUID

from relex.db.connection import Transaction, driver
from relex.examples import Outcome, Prediction
from relex.jobs import JobId

COPY_IN = """
    COPY predictions (job_id, row_no, label, probabilities, window_cut, answer_key) FROM STDIN (FORMAT BINARY)
"""
HEADER = b"PGCOPY\n\xff\r\n\0" + pack("!ii", 0, 0)
TRAILER = pack("!h", -1)
COLUMNS = pack("!h", 6)
INT4 = Struct("!ii")
FLOAT4_OID = 700
FLAGS = {False: pack("!i?", 1, False), True: pack("!i?", 1, True)}
KEY_LENGTH = pack("!i", 16)
NULL = pack("!i", -1)


def copy_in(tx: Transaction, job_id: JobId, outcome: Outcome) -> None:
    """Write a shard's predictions; those that were scored with the key under which they answer for others."""
    with driver(tx).cursor() as cursor, cursor.copy(COPY_IN) as copy:
        copy.write(copy_buffer(job_id, outcome))


def copy_buffer(job_id: JobId, outcome: Outcome) -> bytes:
    """A shard's predictions in the form of binary COPY: about 340 bytes a row."""
    scored = _rows(job_id, outcome.scored, outcome.keys)
    answered = _rows(job_id, outcome.answered, {})
    return b"".join(chain((HEADER,), scored, answered, (TRAILER,)))


def _rows(job_id: JobId, predictions: Sequence[Prediction], keys: Mapping[int, UUID]) -> Iterator[bytes]:
    """The rows in pieces; what many rows share is packed once."""
    start = COLUMNS + _text(job_id)
    labels = {label: _text(label) for label in {item.label for item in predictions}}
    for item in predictions:
        head, floats = _array(len(item.probabilities))
        cells: list[float] = [4] * (2 * len(item.probabilities))  # each behind its length in bytes
        cells[1::2] = item.probabilities
        key = keys.get(item.row_no)
        yield start + INT4.pack(4, item.row_no) + labels[item.label] + head + floats.pack(*cells)
        yield FLAGS[item.window_cut] + (NULL if key is None else KEY_LENGTH + key.bytes)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return pack("!i", len(encoded)) + encoded


@cache
def _array(count: int) -> tuple[bytes, Struct]:
    """What comes before the elements of an array of floats, and how they are packed."""
    elements = Struct("!" + "if" * count)
    no_nulls, lower_bound = 0, 1
    return pack("!6i", 20 + elements.size, 1, no_nulls, FLOAT4_OID, count, lower_bound), elements
