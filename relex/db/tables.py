"""The tables as SQLAlchemy sees them; `migrations/` makes them, and a test compares the two.

Predictions and examples are only ever inserted, and deleted with their job; row errors also go where their rows are
scored anew. State lives in jobs, shards and runs alone.
"""

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

fencing_tokens = Sequence("fencing_tokens", metadata=metadata, data_type=BigInteger)
"""Every claim of a shard or a run draws a higher number: a write with a lower one comes too late."""

arrivals = Sequence("arrivals", metadata=metadata, data_type=BigInteger)
"""Jobs and runs are numbered together as they come: `@last` is the newest of both."""


def _seq() -> Column[int]:
    return Column("seq", BigInteger, server_default=arrivals.next_value(), nullable=False, unique=True)


def _moment(name: str, *, nullable: bool = True) -> Column[datetime]:
    """A point in time on the database's clock."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    _seq(),
    Column("name", Text, nullable=False),
    Column("config", JSONB, nullable=False),
    Column("folder", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("furthest", Integer, nullable=False),
    Column("worker", Text),
    _moment("lease_until"),
    _moment("not_before", nullable=False),
    Column("progress", JSONB, nullable=False),
    Column("error", Text),
    Column("model", Text),
    _moment("created_at", nullable=False),
    _moment("started_at"),
    _moment("finished_at"),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("model", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("labels", ARRAY(Text), nullable=False),
    Column("digests", JSONB, nullable=False),
    Column("scores", JSONB, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("run_id", Text, ForeignKey("runs.id")),
    Column("note", Text),
    Column("trained_on", JSONB),
    _moment("created_at", nullable=False),
    UniqueConstraint("name", "number"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    _seq(),
    Column("idempotency_key", Text, nullable=False, unique=True),
    Column("file_name", Text, nullable=False),
    Column("file_sha256", Text, nullable=False),
    Column("model", Text, ForeignKey("model_versions.model"), nullable=False),
    Column("total", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("exact", Boolean, nullable=False),
    Column("fresh", Boolean, nullable=False),
    Column("max_failed", Integer),
    Column("error", Text),
    _moment("created_at", nullable=False),
    _moment("served_at"),
    _moment("paused_at"),
    _moment("cancelled_at"),
    _moment("finished_at"),
    _moment("purged_at"),
)

examples = Table(
    "examples",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row_no", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("subject_text", Text, nullable=False),
    Column("subject_start", Integer, nullable=False),
    Column("subject_end", Integer, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("object_text", Text, nullable=False),
    Column("object_start", Integer, nullable=False),
    Column("object_end", Integer, nullable=False),
    Column("object_type", Text, nullable=False),
    Column("label", Text),
    Column("source", Text),
)

shards = Table(
    "shards",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("first_row", Integer, primary_key=True),
    Column("end_row", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("worker", Text),
    _moment("lease_until"),
    _moment("not_before", nullable=False),
    _moment("started_at"),
    _moment("finished_at"),
    Column("truncated_rows", Integer, nullable=False),
    Column("reused", Integer, nullable=False),
    Column("error", Text),
)

predictions = Table(
    "predictions",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row_no", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    Column("probabilities", ARRAY(REAL), nullable=False),
    Column("truncated", Boolean, nullable=False),
    Column("cache_key", Uuid),
)

row_errors = Table(
    "row_errors",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row_no", Integer, primary_key=True),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
)
