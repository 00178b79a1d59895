"""Predictions as rows, written by binary COPY.

The standard library's `struct` packs the rows of a shard into one buffer: in a fraction of the time of psycopg's writer
of single rows, and no slower than NumPy, which must first convert every Python float and which no command should import
(docs/measurements/speed.md). A row is its number of columns, then the length in bytes and the value of each column, all
big-endian:

    job_id text, row_no int4, label text, probabilities float4[], truncated bool, cache_key uuid or NULL
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from struct import Struct, pack
from uuid import UUID

from relex.db.connection import Transaction, driver
from relex.domain.examples import Outcome, Prediction
from relex.domain.jobs import JobId

COPY_IN = """
    COPY predictions (job_id, row_no, label, probabilities, truncated, cache_key) FROM STDIN (FORMAT BINARY)
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
    """Write a shard's predictions; those that were scored get their cache key."""
    with driver(tx).cursor() as cursor, cursor.copy(COPY_IN) as copy:
        copy.write(copy_buffer(job_id, outcome))


def copy_buffer(job_id: JobId, outcome: Outcome) -> bytes:
    """Return a shard's predictions in the format of binary COPY: about 340 bytes a row."""
    scored = _rows(job_id, outcome.scored, outcome.keys)
    reused = _rows(job_id, outcome.reused, {})
    return b"".join(chain((HEADER,), scored, reused, (TRAILER,)))


def _rows(job_id: JobId, predictions: Sequence[Prediction], keys: Mapping[int, UUID]) -> Iterator[bytes]:
    """Yield the rows in pieces; parts that many rows share are packed once."""
    start = COLUMNS + _text(job_id)
    labels = {label: _text(label) for label in {item.label for item in predictions}}
    for item in predictions:
        head, floats = _array(len(item.probabilities))
        cells: list[float] = [4] * (2 * len(item.probabilities))  # each after its length in bytes
        cells[1::2] = item.probabilities
        key = keys.get(item.row_no)
        yield start + INT4.pack(4, item.row_no) + labels[item.label] + head + floats.pack(*cells)
        yield FLAGS[item.truncated] + (NULL if key is None else KEY_LENGTH + key.bytes)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return pack("!i", len(encoded)) + encoded


@cache
def _array(count: int) -> tuple[bytes, Struct]:
    """Return the header of an array of floats, and the struct that packs its elements."""
    elements = Struct("!" + "if" * count)
    no_nulls, lower_bound = 0, 1
    return pack("!6i", 20 + elements.size, 1, no_nulls, FLOAT4_OID, count, lower_bound), elements
