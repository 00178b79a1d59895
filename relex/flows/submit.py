"""From a CSV to a queued job: check the whole file, then one transaction for everything.

A command that is killed midway leaves nothing behind: no job, no rows, no shard.
"""

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from relex.db import examples, job_control, jobs, shards
from relex.db.connection import Database
from relex.domain.jobs import JobId, JobState, MaxFailed, NewJob
from relex.errors import InvalidCsv
from relex.files.problems import FileFacts
from relex.files.reading import read_examples
from relex.files.text import shown_path
from relex.registry import model_versions


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a submitted file."""

    job_id: JobId
    model: str
    shards: int
    """How many were queued; 0 for a job that was there before."""
    known: JobState | None = None
    """The state of the job that was made before for the same file and model; None for a new one."""
    changes: tuple[str, ...] = ()
    """What became of the wishes for a job that was there before, as sentences."""


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """How to read a file and what to score it with."""

    encoding: str = "utf-8"
    model: str | None = None
    """A model version; None takes the current one."""
    skip_invalid: bool = False
    """Take the good rows of a file that has bad ones."""
    again: bool = False
    """Make a new job even if this file was scored with this model before."""
    exact: bool = False
    """Score in fp32 even where the model passed the gate for fewer bits."""
    fresh: bool = False
    """Score every row anew; makes a new job as `again` does."""
    priority: int | None = None
    """Jobs of a higher one come first; None is 0 for a new job, and leaves a known one as it is."""
    max_failed: MaxFailed | None = None
    """The job fails as soon as more rows than that could not be scored."""


def submit(database: Database, path: Path, facts: FileFacts, options: SubmitOptions, shard_rows: int) -> Submission:
    """Queue a checked file, or find the job that was made for it before and did not fail.

    A job that was there before takes a priority or an error budget that is wished for now, as long as it is open.

    Raises:
        InvalidCsv: the file changed since it was checked, or no row of it is good.
        ModelNotFound: no such model version.
    """
    if not facts.accepted:
        raise InvalidCsv(f"{path.name}: no row can be scored; mend one of them first")
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
                changes = job_control.adjust(tx, before.id, options.priority, options.max_failed)
                state = jobs.progress(tx, jobs.find(tx, before.id)).state
                return Submission(before.id, new.model, 0, state, changes)
            job_id = jobs.insert_instead(tx, new, before.id)
        examples.copy_in(tx, job_id, read_examples(path, facts))
        count = shards.cut(tx, job_id, facts.accepted, shard_rows)
    return Submission(job_id, new.model, count)


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
    """Equal for equal work: the same bytes, read in the same way, with the same model, as exactly."""
    nonce = secrets.token_hex(8) if options.again or options.fresh else ""
    parts = [facts.sha256, facts.codec, model, nonce]
    if options.exact:  # added only then: jobs of before are still found
        parts.append("exact")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
