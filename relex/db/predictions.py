"""Predictions as rows, written by binary COPY.

The standard library's `struct` packs the rows of a shard into one buffer: in a fraction of the time of psycopg's writer
of single rows, and no slower than NumPy, which must first convert every Python float and which no command should import
(docs/measurements/speed.md). A row is its number of columns, then the length in bytes and the value of each column, all
big-endian:

    job_id text, row_no int4, label text, probabilities float4[], truncated bool, cache_key uuid or NULL,
    inverse_label text or NULL
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from itertools import chain
from struct import Struct, pack
from uuid import UUID

from relex.db.connection import Transaction, driver
from relex.domain.examples import Example, Outcome, Prediction
from relex.domain.jobs import JobId

COPY_IN = """
    COPY predictions (job_id, row_no, label, probabilities, truncated, cache_key, inverse_label)
    FROM STDIN (FORMAT BINARY)
"""
HEADER = b"PGCOPY\n\xff\r\n\0" + pack("!ii", 0, 0)
TRAILER = pack("!h", -1)
COLUMNS = pack("!h", 7)
INT4 = Struct("!ii")
FLOAT4_OID = 700
FLAGS = {False: pack("!i?", 1, False), True: pack("!i?", 1, True)}
KEY_LENGTH = pack("!i", 16)
NULL = pack("!i", -1)

SCORING = 3
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
        inverse = NULL if item.inverse_label is None else _text(item.inverse_label)
        yield FLAGS[item.truncated] + (NULL if key is None else KEY_LENGTH + key.bytes) + inverse


def _text(value: str) -> bytes:
    encoded = value.encode()
    return pack("!i", len(encoded)) + encoded


@cache
def _array(count: int) -> tuple[bytes, Struct]:
    """Return the header of an array of floats, and the struct that packs its elements."""
    elements = Struct("!" + "if" * count)
    no_nulls, lower_bound = 0, 1
    return pack("!6i", 20 + elements.size, 1, no_nulls, FLOAT4_OID, count, lower_bound), elements


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
