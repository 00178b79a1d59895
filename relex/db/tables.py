"""The tables as SQLAlchemy sees them; `migrations/` creates them, and a test compares the two.

Examples and predictions are only inserted, and deleted with their job; row errors are also deleted when their rows are
retried, and a label that a person gave to a row is replaced by a newer one. Only jobs, shards and runs have state.
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
"""Source of fencing tokens: every claim gets a higher number, and a write with a lower one is refused."""

arrivals = Sequence("arrivals", metadata=metadata, data_type=BigInteger)
"""One sequence numbers jobs and runs in the order of their arrival: `@last` is the newest of them all."""


def _seq() -> Column[int]:
    return Column("seq", BigInteger, server_default=arrivals.next_value(), nullable=False, unique=True)


def _timestamp(name: str, *, nullable: bool = True) -> Column[datetime]:
    """Return a column for a time of the database's clock."""
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
    _timestamp("lease_until"),
    _timestamp("not_before", nullable=False),
    Column("progress", JSONB, nullable=False),
    Column("error", Text),
    Column("model", Text),
    _timestamp("created_at", nullable=False),
    _timestamp("started_at"),
    _timestamp("finished_at"),
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
    Column("calibration", JSONB(none_as_null=True)),
    _timestamp("created_at", nullable=False),
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
    Column("columns", JSONB(none_as_null=True)),
    Column("model", Text, ForeignKey("model_versions.model"), nullable=False),
    Column("total", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("exact", Boolean, nullable=False),
    Column("fresh", Boolean, nullable=False),
    Column("check_inverse", Boolean, nullable=False),
    Column("max_failed", Integer),
    Column("error", Text),
    Column("drift", JSONB(none_as_null=True)),
    Column("expected", JSONB(none_as_null=True)),
    _timestamp("created_at", nullable=False),
    _timestamp("served_at"),
    _timestamp("paused_at"),
    _timestamp("cancelled_at"),
    _timestamp("finished_at"),
    _timestamp("purged_at"),
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
    Column("input_cells", Text),
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
    _timestamp("lease_until"),
    _timestamp("not_before", nullable=False),
    _timestamp("started_at"),
    _timestamp("finished_at"),
    Column("truncated_rows", Integer, nullable=False),
    Column("reused", Integer, nullable=False),
    Column("error", Text),
    Column("environment", JSONB(none_as_null=True)),
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
    Column("inverse_label", Text),
)

row_errors = Table(
    "row_errors",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row_no", Integer, primary_key=True),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
)

row_labels = Table(
    "row_labels",
    metadata,
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row_no", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    Column("drawn_by", Text),
    Column("stratum", Text),
    Column("stratum_rows", Integer),
    _timestamp("labeled_at", nullable=False),
)
