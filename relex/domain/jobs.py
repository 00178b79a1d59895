"""Jobs, shards and their progress.

A job's state is not stored: :func:`job_state` computes it from the counts of its shards and its own timestamps, so that
the two cannot contradict each other.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType

from relex.domain.drift import Drift
from relex.domain.quality import Expected
from relex.errors import InvalidInput
from relex.hints import jobs as hints

JobId = NewType("JobId", str)

JOB_ID = "j-[0-9a-z]{6}"
"""Regular expression of job ids, as `db.ids` makes them; only such ids become names of files."""


class ShardState(StrEnum):
    """The state of a shard.

    pending -> running -> done or failed; back to pending when it is released or its lease expires. If its job ends
    early, a pending or running shard becomes cancelled. A retry makes failed and cancelled shards pending.
    """

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """The state of a job, as it is shown to the user."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the job has reached a final state."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class MaxFailed:
    """An error budget: how many rows of a job, or what share of them, may end as row errors before it fails."""

    amount: Decimal
    percent: bool

    @classmethod
    def parse(cls, text: str) -> "MaxFailed":
        """Parse `1%`, `0.5%` or a number of rows such as `10`.

        Raises:
            InvalidInput: it is neither.
        """
        match = re.fullmatch(r"(\d{1,9})|(\d{1,3}(?:\.\d{1,9})?)%", text, re.ASCII)
        if match is None or (match[2] and Decimal(match[2]) > HUNDRED):
            raise InvalidInput(
                f"'{text}' is not an error budget: write a number of rows or a share of them, {hints.error_budget()}"
            )
        return cls(Decimal(match[1] or match[2]), percent=match[2] is not None)

    def rows(self, total: int) -> int:
        """Return the budget as a number of `total` rows, rounded down."""
        return int(self.amount * total / HUNDRED if self.percent else self.amount)


HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class NewJob:
    """The values of a job to insert; equal work has an equal `idempotency_key`."""

    idempotency_key: str
    file_name: str
    file_sha256: str
    model: str
    total: int
    rejected: int
    exact: bool = False
    fresh: bool = False
    check_inverse: bool = False
    priority: int = 0
    max_failed: int | None = None
    columns: Mapping[str, Any] | None = None
    """What is recorded of the columns of its file (`relex.domain.inputs`); None if nothing is."""


@dataclass(frozen=True, slots=True)
class Job:
    """One submitted CSV, pinned to one model version; counts are rows."""

    id: JobId
    file_name: str
    file_sha256: str
    model: str
    total: int
    rejected: int
    created_at: datetime
    exact: bool = False
    """Score in fp32 even if the model may be scored in 16 bit."""
    fresh: bool = False
    """Score every row without reusing earlier predictions."""
    check_inverse: bool = False
    """Score each row's inverse pair too."""
    priority: int = 0
    """Jobs of a higher priority are scored first."""
    max_failed: int | None = None
    """Maximum number of row errors before the job fails early; None for no limit."""
    error: str | None = None
    """Reason of an early failure."""
    drift: Drift | None = None
    """How far its rows differ from those that its model version was validated on; None without a calibration."""
    expected: Expected | None = None
    """Scores that its predictions may have, once it is done; None without a calibration."""
    paused_at: datetime | None = None
    cancelled_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """A claimed range of a job's examples, rows `first_row` to `end_row` (exclusive).

    `token` is the fencing token of this claim: every later write repeats it, and is refused once another
    worker has claimed the shard with a higher one.
    """

    job_id: JobId
    first_row: int
    end_row: int
    model: str
    exact: bool
    fresh: bool
    check_inverse: bool
    token: int
    attempt: int

    @property
    def rows(self) -> int:
        """Number of examples in the shard."""
        return self.end_row - self.first_row


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a job, counted in one snapshot of Postgres; rows unless noted otherwise."""

    job: Job
    done: int
    """Rows in finished shards: each has a prediction or a recorded error."""
    open: int
    """Rows in pending and running shards."""
    unscored: int
    """Rows in failed and cancelled shards; `done`, `open` and `unscored` always add up to all rows."""
    failed: int
    """Rows with a recorded error."""
    reused: int
    """Rows whose prediction was reused, because their content was scored before."""
    truncated_rows: int
    """Rows whose sentence was longer than the model's window."""
    pending_shards: int
    running_shards: int
    done_shards: int
    failed_shards: int
    cancelled_shards: int
    workers: int
    """Distinct workers that hold a shard and renew its lease in time."""
    stalled_workers: int
    """Distinct workers that hold a shard and are late to renew its lease: killed, disconnected or stalled."""
    seconds: float
    """Time of work on its shards by the database's clock, without pauses and waits for a worker or a retry."""
    rows_per_second: float | None = None
    """Mean speed since the job was last started, resumed or retried; None if unknown."""
    started_at: datetime | None = None
    """Time of the earliest claim of its shards; only the last claim of each shard counts."""
    reason: str | None = None
    """Reason why the job or one of its shards failed."""

    @property
    def state(self) -> JobState:
        """The state that follows from these counts."""
        return job_state(self)

    @property
    def since(self) -> datetime:
        """The time when the job entered its state."""
        job = self.job
        moments = {
            JobState.QUEUED: job.created_at,
            JobState.RUNNING: self.started_at,
            JobState.PAUSED: job.paused_at,
            JobState.CANCELLED: job.cancelled_at,
        }
        return moments.get(self.state, job.finished_at) or job.created_at

    @property
    def retry_hint(self) -> str:
        """A hint with the command that scores the remaining rows."""
        return hints.retry(self.job.id, rows=self.job.error is not None)

    @property
    def seconds_left(self) -> float | None:
        """Estimated time to the end at this speed; None if unknown or if the job is not running."""
        if self.state is not JobState.RUNNING or not self.rows_per_second:
            return None
        return self.open / self.rows_per_second


def job_state(progress: Progress) -> JobState:
    """Compute the state of a job.

    A job ends only when no shard is open anymore; Postgres sets `finished_at` after it has checked that every row is
    accounted for.
    """
    job = progress.job
    if job.finished_at:
        if job.cancelled_at:
            return JobState.CANCELLED
        return JobState.FAILED if progress.failed_shards or job.error else JobState.DONE
    if job.paused_at:
        return JobState.PAUSED
    if progress.done_shards or progress.running_shards or progress.failed_shards:
        return JobState.RUNNING
    return JobState.QUEUED
