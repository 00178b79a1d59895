"""What a job is made of, and how its state follows from facts.

A job's state is never stored beside the facts that make it: it is computed by :func:`job_state` from the
shards' counts and the job's own timestamps, so the two cannot contradict each other.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

JobId = NewType("JobId", str)

JOB_ID = "j-[0-9a-z]{6}"
"""How ids of jobs look (`db.ids` makes them); nothing else becomes the name of a file."""


class ShardState(StrEnum):
    """pending -> running -> done; back to pending when released or when the lease runs out; failed at the end."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class JobState(StrEnum):
    """What a person is told about a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


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
    failed: int
    """Rows with a recorded error."""
    answered: int
    """Rows whose content was scored before: they were answered from Postgres."""
    windows_cut: int
    """Rows whose sentence was longer than the model's window."""
    pending_shards: int
    running_shards: int
    done_shards: int
    failed_shards: int
    workers: int
    """Different workers that hold a shard now."""
    seconds: float
    """From the first claim to the last finished shard, on the database's clock; 0 before the first."""
    reason: str | None = None
    """Why a shard failed, in words."""

    @property
    def state(self) -> JobState:
        """The job's state as these counts tell it."""
        return job_state(self)

    @property
    def rows_per_second(self) -> float | None:
        """Mean speed so far, or None while nothing is finished."""
        return self.done / self.seconds if self.done and self.seconds else None

    @property
    def seconds_left(self) -> float | None:
        """Estimated time to the end at the mean speed so far, or None where it cannot be told."""
        speed = self.rows_per_second
        return None if speed is None or self.state.ended else (self.job.total - self.done) / speed


def job_state(progress: Progress) -> JobState:
    """The one rule from facts to a word.

    A job ends only when no shard is open any more; `finished_at` is written by Postgres after it has checked
    that every row is accounted for.
    """
    if progress.job.finished_at:
        if progress.job.cancelled_at:
            return JobState.CANCELLED
        return JobState.FAILED if progress.failed_shards else JobState.DONE
    if progress.done_shards or progress.running_shards or progress.failed_shards:
        return JobState.RUNNING
    return JobState.QUEUED
