"""Submitting files: their rows are copied into Postgres while they are checked, in one transaction.

A file with an invalid row, or a command that is killed midway, leaves nothing behind: no job, no rows, no shard. Of
several files either each becomes a job, or none.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from relex.db import examples, jobs, shards
from relex.db.connection import Database, Transaction
from relex.domain.drift import Drift
from relex.domain.jobs import JobId, JobState, MaxFailed, NewJob
from relex.errors import InvalidCsv, InvalidInput, printable
from relex.files.facts import FileFacts, Reading, file_hints
from relex.files.inputs import InputFile
from relex.files.paths import shown_path
from relex.files.reading import ReadingMismatch, read_rows
from relex.files.validation import Tally, check, survey
from relex.flows.control import adjust_job
from relex.flows.quality import measure
from relex.hints import jobs as hints
from relex.registry import model_versions

CheckRows = Callable[[InputFile], FileFacts]
"""Checks all rows of a file; raises InvalidCsv if it may not be submitted."""


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """Options of a submission: how the rows of a file are scored."""

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
    check_inverse: bool = False
    """Score each row's inverse pair too, so that a review can flag contradictions."""
    priority: int | None = None
    """Priority of the job, higher first; None means 0 for a new job, and no change for an existing one."""
    max_failed: MaxFailed | None = None
    """Error budget: the job fails as soon as more rows than this could not be scored."""
    needs_calibration: bool = False
    """Refuse a model version that is not calibrated, so that drift can be measured."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file whose rows are known to be valid, as far as they were looked at."""

    file: InputFile
    reading: Reading
    facts: FileFacts | None = None
    """Facts of the whole file; None if only its first rows were read."""


@dataclass(frozen=True, slots=True)
class Submission:
    """The job of a submitted file."""

    job_id: JobId
    model: str
    shards: int
    """Number of shards queued; 0 for a job that existed before."""
    total: int
    """Number of rows of the job."""
    rejected: int = 0
    """Number of invalid rows that were skipped."""
    notes: tuple[str, ...] = ()
    """What the user should know about how the file was read; empty for a job that existed before."""
    existing_state: JobState | None = None
    """State of the job that existed before for the same file and model; None for a new job."""
    changes: tuple[str, ...] = ()
    """Changes to a job that existed before, such as a new priority, as sentences."""
    drift: Drift | None = None
    """How far its rows have drifted; None if the model version is not calibrated."""


def check_files(files: Sequence[InputFile], check_rows: CheckRows = check) -> list[CheckedFile]:
    """Read the first rows of each file, and all rows of one whose first rows are not all valid.

    Args:
        files: the files.
        check_rows: is called where a row may be invalid.

    Raises:
        InvalidCsv: files that may not be submitted, all at once.
    """
    return _each(files, lambda file: _check_file(file, check_rows))


def submit(
    database: Database,
    files: Sequence[CheckedFile],
    options: SubmitOptions,
    shard_rows: int,
    check_rows: CheckRows = check,
) -> list[Submission]:
    """Queue the rows of each file, or return the job that exists for it and did not fail.

    The rows are checked while they are copied. Where one turns out to be invalid, all is rolled back, every file is
    checked as a whole, and if that allows it, everything is copied once more.

    A priority or an error budget of the options is applied to an existing job too, as long as it is open.

    Args:
        database: where to.
        files: the files, as :func:`check_files` returned them.
        options: how they are scored.
        shard_rows: maximum number of rows in a shard.
        check_rows: as for :func:`check_files`.

    Raises:
        InvalidCsv: a file has invalid rows and may not be submitted, or changed while it was read.
        InvalidInput: the model version is not calibrated, and has to be.
        ModelNotFound: no such model version.
    """
    try:
        return _submit(database, files, options, shard_rows)
    except ReadingMismatch:
        checked = _each([each.file for each in files], lambda file: _checked(file, check_rows(file)))
    try:
        return _submit(database, checked, options, shard_rows)
    except ReadingMismatch:
        raise InvalidCsv("a file changed while it was read; try again") from None


def all_invalid(facts: FileFacts) -> str:
    """Say that no row is valid, and where the rows are with their problems."""
    rows = "the only row is invalid" if facts.rows == 1 else f"all {facts.rows:,} rows are invalid"
    return f"{rows}; see {printable(str(facts.rejected_to))}" if facts.rejected_to else rows


def _check_file(file: InputFile, check_rows: CheckRows) -> CheckedFile:
    first = survey(file)
    return CheckedFile(file, first.reading) if first.valid else _checked(file, check_rows(file))


def _checked(file: InputFile, facts: FileFacts) -> CheckedFile:
    """Return a file that was checked as a whole.

    Raises:
        InvalidCsv: all its rows are invalid.
    """
    if not facts.accepted:
        raise InvalidCsv(f"{file.name}: {all_invalid(facts)}{file_hints(facts)}")
    return CheckedFile(file, facts.reading, facts)


def _each(files: Sequence[InputFile], check_file: Callable[[InputFile], CheckedFile]) -> list[CheckedFile]:
    """Check each file, and raise the errors of all of them as one."""
    checked, errors = [], []
    for file in files:
        try:
            checked.append(check_file(file))
        except InvalidCsv as exc:
            errors.append(str(exc))
    if errors:
        raise InvalidCsv("\n".join(errors))
    return checked


def _submit(
    database: Database, files: Sequence[CheckedFile], options: SubmitOptions, shard_rows: int
) -> list[Submission]:
    """Queue all files in one transaction.

    Raises:
        ReadingMismatch: a file is not as it was checked, or may have invalid rows.
    """
    with database.transaction() as tx:
        return [_submit_file(tx, each, options, shard_rows) for each in files]


def _submit_file(tx: Transaction, checked: CheckedFile, options: SubmitOptions, shard_rows: int) -> Submission:
    version = model_versions.choose(tx, options.model)
    if options.needs_calibration and not version.calibrated:
        raise InvalidInput(f"{version} is not calibrated, so drift cannot be measured; {hints.calibrate(str(version))}")
    new = _new(checked.file, str(version), options)
    job_id = jobs.insert_job(tx, new)
    while job_id is None:
        before = jobs.with_key(tx, new.idempotency_key)
        if before is None:  # purged since
            job_id = jobs.insert_job(tx, new)
            continue
        state = jobs.progress(tx, before).state
        if state not in (JobState.FAILED, JobState.CANCELLED):
            if before.rejected and not options.skip_invalid:
                raise ReadingMismatch
            jobs.make_newest(tx, before.id)
            changes = adjust_job(tx, before.id, options.priority, options.max_failed)
            state = jobs.progress(tx, jobs.find(tx, before.id)).state
            drift = before.drift or measure(tx, before.id, new.model)
            return Submission(before.id, new.model, 0, before.total, before.rejected, (), state, changes, drift)
        job_id = jobs.insert_instead(tx, new, before.id)
    return _copy(tx, job_id, new, checked, options, shard_rows)


def _copy(
    tx: Transaction, job_id: JobId, new: NewJob, checked: CheckedFile, options: SubmitOptions, shard_rows: int
) -> Submission:
    """Copy the rows of a file and cut them into shards."""
    tally, file = Tally(), checked.file
    may_skip = options.skip_invalid and checked.facts is not None  # only then its invalid rows were reported
    total = examples.copy_in(tx, job_id, read_rows(file, checked.reading, tally, skip_invalid=may_skip))
    budget = None if options.max_failed is None else options.max_failed.rows(total)
    columns = checked.reading.columns.to_dict()
    whole = replace(new, total=total, rejected=tally.rejected, max_failed=budget, columns=columns)
    jobs.record_rows(tx, job_id, whole)
    count = shards.create_shards(tx, job_id, total, shard_rows)
    notes = tally.facts(file, checked.reading).notes
    drift = measure(tx, job_id, new.model)
    return Submission(job_id, new.model, count, total, tally.rejected, notes, drift=drift)


def _new(file: InputFile, model: str, options: SubmitOptions) -> NewJob:
    """Return a job whose rows are not counted yet."""
    return NewJob(
        idempotency_key=_key(file, model, options),
        file_name=shown_path(Path(file.name)),
        file_sha256=file.sha256,
        model=model,
        total=1,
        rejected=0,
        exact=options.exact,
        fresh=options.fresh,
        check_inverse=options.check_inverse,
        priority=options.priority or 0,
    )


def _key(file: InputFile, model: str, options: SubmitOptions) -> str:
    """Return the idempotency key: equal for the same bytes, read in the same way, and scored in the same way."""
    nonce = secrets.token_hex(8) if options.again or options.fresh else ""
    parts = [file.sha256, file.form.codec, model, nonce]
    if options.exact:  # added only then, so that earlier jobs keep their keys
        parts.append("exact")
    if options.check_inverse:
        parts.append("check-inverse")
    reading = {name: text for name, text in file.options.texts().items() if name != "encoding"}
    if reading:
        parts.append(json.dumps(reading, sort_keys=True))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
