"""What a job is made of, and how its state follows from facts.

A job's state is never stored beside the facts that make it: it is computed by :func:`job_state` from the
shards' counts and the job's own timestamps, so the two cannot contradict each other.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from relex.errors import InvalidInput
from relex.hints import jobs as hints

JobId = NewType("JobId", str)

JOB_ID = "j-[0-9a-z]{6}"
"""How ids of jobs look (`db.ids` makes them); nothing else becomes the name of a file."""


class ShardState(StrEnum):
    """pending -> running -> done; back to pending when released or when the lease runs out; failed at the end.

    Where their job ends early, pending and running ones become cancelled. A retry makes these and failed ones pending.
    """

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """What a person is told about a job."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class MaxFailed:
    """An error budget: how many rows of a job, or what share of them, may end as row errors before it fails."""

    amount: Decimal
    percent: bool

    @classmethod
    def parse(cls, text: str) -> "MaxFailed":
        """From `1%`, `0.5%` or a number of rows such as `10`.

        Raises:
            InvalidInput: it is neither.
        """
        found = re.fullmatch(r"(\d{1,9})|(\d{1,3}(?:\.\d{1,9})?)%", text, re.ASCII)
        if found is None or (found[2] and Decimal(found[2]) > HUNDRED):
            raise InvalidInput(
                f"'{text}' is no error budget: write a number of rows or a share of them, {hints.error_budget()}"
            )
        return cls(Decimal(found[1] or found[2]), percent=found[2] is not None)

    def rows(self, total: int) -> int:
        """How many of `total` rows that is, rounded down."""
        return int(self.amount * total / HUNDRED if self.percent else self.amount)


HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a job is made from; `idempotency_key` is equal for equal work."""

    idempotency_key: str
    file_name: str
    file_sha256: str
    model: str
    total: int
    rejected: int
    exact: bool = False
    fresh: bool = False
    priority: int = 0
    max_failed: int | None = None


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
    """Score in fp32 even where the model may be scored with fewer bits."""
    fresh: bool = False
    """Score every row, whatever was scored before."""
    priority: int = 0
    """Jobs of a higher one come first."""
    max_failed: int | None = None
    """How many row errors it may have before it fails early; None for any number."""
    error: str | None = None
    """Why it failed early, in words."""
    paused_at: datetime | None = None
    cancelled_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """A claimed run of a job's examples, rows `first_row` to `end_row` (exclusive).

    `token` is the fencing token of this claim: every later write repeats it, and is refused once another
    worker has claimed the shard with a higher one.
    """

    job_id: JobId
    first_row: int
    end_row: int
    model: str
    exact: bool
    fresh: bool
    token: int
    attempt: int

    @property
    def rows(self) -> int:
        """How many examples the shard holds."""
        return self.end_row - self.first_row


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, as counted by Postgres at one moment; rows unless said otherwise."""

    job: Job
    done: int
    """Rows in finished shards: each has a prediction or a recorded error."""
    open: int
    """Rows in pending and running shards."""
    unscored: int
    """Rows in failed and cancelled shards; they and `done` and `open` are all rows, at every moment."""
    failed: int
    """Rows with a recorded error."""
    reused: int
    """Rows whose content was scored before: they were reused from Postgres."""
    truncated_rows: int
    """Rows whose sentence was longer than the model's window."""
    pending_shards: int
    running_shards: int
    done_shards: int
    failed_shards: int
    cancelled_shards: int
    workers: int
    """Different workers that hold a shard now and keep renewing their lease."""
    stalled_workers: int
    """Different workers that hold a shard and are overdue to renew its lease: killed, cut off or stalled."""
    seconds: float
    """How long its shards took until they ended, on the database's clock: no pause, no wait for a worker or a retry."""
    rows_per_second: float | None = None
    """Mean speed since the work last began (started, resumed or retried), or None where it cannot be known."""
    started_at: datetime | None = None
    """When the earliest of its shards was claimed; a shard that is claimed again counts from its last claim."""
    reason: str | None = None
    """Why the job or a shard of it failed, in words."""

    @property
    def state(self) -> JobState:
        """The job's state as these counts tell it."""
        return job_state(self)

    @property
    def since(self) -> datetime:
        """When the job came into its state."""
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
        """How to score what is left; where the error budget is spent, only with the row errors."""
        return hints.retry(self.job.id, rows=self.job.error is not None)

    @property
    def seconds_left(self) -> float | None:
        """Estimated time to the end at this speed, or None where it cannot be known or nobody works on it."""
        if self.state is not JobState.RUNNING or not self.rows_per_second:
            return None
        return self.open / self.rows_per_second


def job_state(progress: Progress) -> JobState:
    """The one rule from facts to a word.

    A job ends only when no shard is open any more; `finished_at` is written by Postgres after it has checked
    that every row is accounted for.
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
