"""Submitting a CSV that was checked: one transaction writes the job, its rows and its shards.

A command that is killed midway leaves nothing behind: no job, no rows, no shard.
"""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from relex.db import examples, jobs, shards
from relex.db.connection import Database
from relex.domain.jobs import JobId, JobState, MaxFailed, NewJob
from relex.errors import InvalidCsv, printable
from relex.files.problems import FileFacts
from relex.files.reading import read_examples
from relex.files.text import shown_path
from relex.flows.control import adjust_job
from relex.registry import model_versions


@dataclass(frozen=True, slots=True)
class Submission:
    """The job of a submitted file."""

    job_id: JobId
    model: str
    shards: int
    """Number of shards queued; 0 for a job that existed before."""
    existing_state: JobState | None = None
    """State of the job that existed before for the same file and model; None for a new job."""
    changes: tuple[str, ...] = ()
    """Changes to a job that existed before, such as a new priority, as sentences."""


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """Options of a submission: how the file is read, and how its rows are scored."""

    encoding: str = "utf-8"
    model: str | None = None
    """Model version; None means the current one."""
    skip_invalid: bool = False
    """Submit the valid rows of a file that has invalid ones."""
    again: bool = False
    """Create a new job even if this file was scored with this model before."""
    exact: bool = False
    """Score in fp32 even where the model passed the parity check."""
    fresh: bool = False
    """Score every row again instead of reusing predictions; implies `again`."""
    priority: int | None = None
    """Priority of the job, higher first; None means 0 for a new job, and no change for an existing one."""
    max_failed: MaxFailed | None = None
    """Error budget: the job fails as soon as more rows than this could not be scored."""


def submit(database: Database, path: Path, facts: FileFacts, options: SubmitOptions, shard_rows: int) -> Submission:
    """Queue a checked file, or return the job that exists for it and did not fail.

    A priority or an error budget of the options is applied to an existing job too, as long as it is open.

    Raises:
        InvalidCsv: the file changed since it was checked, or all its rows are invalid.
        ModelNotFound: no such model version.
    """
    if not facts.accepted:
        raise InvalidCsv(f"{path.name}: {_all_invalid(facts)}")
    with database.transaction() as tx:
        new = _new(path, facts, str(model_versions.choose(tx, options.model)), options)
        job_id = jobs.insert_job(tx, new)
        while job_id is None:
            before = jobs.with_key(tx, new.idempotency_key)
            if before is None:  # purged since
                job_id = jobs.insert_job(tx, new)
                continue
            state = jobs.progress(tx, before).state
            if state not in (JobState.FAILED, JobState.CANCELLED):
                jobs.make_newest(tx, before.id)
                changes = adjust_job(tx, before.id, options.priority, options.max_failed)
                state = jobs.progress(tx, jobs.find(tx, before.id)).state
                return Submission(before.id, new.model, 0, state, changes)
            job_id = jobs.insert_instead(tx, new, before.id)
        examples.copy_in(tx, job_id, read_examples(path, facts))
        count = shards.cut(tx, job_id, facts.accepted, shard_rows)
    return Submission(job_id, new.model, count)


def _all_invalid(facts: FileFacts) -> str:
    """Say that no row is valid, and where the rows are with their problems."""
    rows = "the only row is invalid" if facts.rows == 1 else f"all {facts.rows:,} rows are invalid"
    return f"{rows}; see {printable(str(facts.rejected_to))}" if facts.rejected_to else rows


def _new(path: Path, facts: FileFacts, model: str, options: SubmitOptions) -> NewJob:
    return NewJob(
        idempotency_key=_key(facts, model, options),
        file_name=shown_path(Path(path.name)),
        file_sha256=facts.sha256,
        model=model,
        total=facts.accepted,
        rejected=facts.rejected,
        exact=options.exact,
        fresh=options.fresh,
        priority=options.priority or 0,
        max_failed=None if options.max_failed is None else options.max_failed.rows(facts.accepted),
    )


def _key(facts: FileFacts, model: str, options: SubmitOptions) -> str:
    """Return the idempotency key: equal for the same bytes, encoding, model and exactness."""
    nonce = secrets.token_hex(8) if options.again or options.fresh else ""
    parts = [facts.sha256, facts.codec, model, nonce]
    if options.exact:  # added only then, so that earlier jobs keep their keys
        parts.append("exact")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
