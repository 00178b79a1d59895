"""The buffer of binary COPY against psycopg's own writer of rows, and what Postgres reads from it."""

import random
import struct
from uuid import UUID

import pytest
from psycopg.copy import LibpqWriter

from relex.db import predictions
from relex.db.connection import driver
from relex.domain.examples import Outcome, Prediction
from relex.labels import RELATIONS
from tests.factories import make_job

TYPES = ["text", "int4", "text", "float4[]", "bool", "uuid", "text"]


def as_float4(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def drawn(seed, scored=40, reused=10):
    """An outcome of random predictions, with the values that floats go wrong at."""
    rng = random.Random(seed)
    edges = [0.0, -0.0, 1.0, 1e-45, 1.17549435e-38, 0.1, 1 / 3]

    def prediction(row_no):
        values = tuple(as_float4(rng.choice(edges) if rng.random() < 0.2 else rng.random()) for _ in RELATIONS)
        return Prediction(row_no, rng.choice(RELATIONS), values, rng.random() < 0.3, rng.choice([None, *RELATIONS]))

    made = [prediction(row_no) for row_no in rng.sample(range(2**31), scored + reused)]
    keys = {item.row_no: UUID(int=rng.getrandbits(128)) for item in made}
    return Outcome(made[:scored], reused=made[scored:], keys=keys)


class Listening(LibpqWriter):
    """Keeps what psycopg sends."""

    def __init__(self, cursor):
        super().__init__(cursor)
        self.sent = bytearray()

    def write(self, data):
        self.sent += data
        super().write(data)


def written_by_psycopg(tx, job_id, outcome):
    with driver(tx).cursor() as cursor:
        writer = Listening(cursor)
        with cursor.copy(predictions.COPY_IN, writer=writer) as copy:
            copy.set_types(TYPES)
            for items, keys in ((outcome.scored, outcome.keys), (outcome.reused, {})):
                for item in items:
                    values = (item.row_no, item.label, list(item.probabilities), item.truncated)
                    copy.write_row((job_id, *values, keys.get(item.row_no), item.inverse_label))
    return bytes(writer.sent)


@pytest.mark.parametrize("seed", range(3))
def test_the_buffer_is_byte_for_byte_what_psycopg_writes(database, seed):
    job_id, outcome = make_job(database).id, drawn(seed)
    with database.transaction() as tx:
        assert predictions.copy_buffer(job_id, outcome) == written_by_psycopg(tx, job_id, outcome)


def test_postgres_reads_back_every_bit(database):
    job_id, outcome = make_job(database).id, drawn(7)
    with database.transaction() as tx:
        predictions.copy_in(tx, job_id, outcome)
        statement = "SELECT row_no, label, probabilities, truncated, cache_key, inverse_label FROM predictions"
        found = {row[0]: tuple(row[1:]) for row in tx.exec_driver_sql(statement)}
    assert len(found) == 50
    for items, keys in ((outcome.scored, outcome.keys), (outcome.reused, {})):
        for item in items:
            label, values, truncated, key, inverse = found[item.row_no]
            assert (label, truncated, key) == (item.label, item.truncated, keys.get(item.row_no))
            assert inverse == item.inverse_label
            assert struct.pack("30f", *values) == struct.pack("30f", *item.probabilities)


def test_nothing_is_a_buffer_without_rows(database):
    job_id = make_job(database).id
    with database.transaction() as tx:
        predictions.copy_in(tx, job_id, Outcome([]))
        assert tx.exec_driver_sql("SELECT count(*) FROM predictions").scalar() == 0
