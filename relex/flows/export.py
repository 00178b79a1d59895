"""Exporting a job to files: predictions, the order of the labels, and a manifest of their origin."""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relex.db import examples, jobs
from relex.db import model_versions as table
from relex.db.connection import Database, Transaction
from relex.domain.jobs import JOB_ID, JobId, JobState, Progress
from relex.domain.versions import ModelVersion
from relex.errors import JobNotDone, RelexError, counted
from relex.files.atomic import digest_of, new_files, write_json
from relex.files.writing import write_errors, write_predictions, write_spreadsheet
from relex.hints import jobs as hints
from relex.times import format_iso

SEAL = "sha256_of_the_rest"
"""The key of a manifest's own digest."""

ENDINGS = (".csv", ".errors.csv", ".labels.json", ".excel.csv", ".errors.excel.csv")
"""Endings of the names of the files beside a manifest."""


@dataclass(frozen=True, slots=True)
class Export:
    """The files written for one job; `errors` is None where every row has a prediction."""

    input: str
    """Name of the file that was submitted."""
    predictions: Path
    labels: Path
    manifest: Path
    errors: Path | None
    spreadsheets: tuple[Path, ...]
    """Copies of the CSVs for spreadsheets, if they were requested."""
    rows: int
    """Number of predictions written."""
    failed: int


def export(database: Database, job_ref: str, out: Path, *, partial: bool = False, excel: bool = False) -> Export:
    """Write a job's predictions, labels and manifest to `out`, from one snapshot of the database.

    Each file is written elsewhere and then moved, the manifest last: a folder with a manifest is complete. With `excel`
    each CSV has a copy beside it that a spreadsheet opens without harm. An earlier export of the job is replaced
    if its files are as its manifest says; no other file is.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        JobNotDone: rows are still to be scored and `partial` is false.
        RelexError: the folder cannot be written to, or another file goes by one of the names.
    """
    with database.transaction(snapshot=True) as tx:
        progress = jobs.progress(tx, jobs.find(tx, job_ref))
        job = progress.job
        if progress.state is not JobState.DONE and not partial:
            raise JobNotDone(
                f"{job.id} is {progress.state}: {progress.done:,} of {counted(job.total, 'row')}; "
                f"{_hint_for_remaining(progress)}{hints.export_partial()}"
            )
        base = out / _file_name(job.id)
        manifest = base.with_suffix(".manifest.json")
        with new_files(out, _vouched(manifest), last=manifest.name) as staging:
            names = _write(tx, staging, progress, excel=excel)
            write_json(staging / manifest.name, _manifest(progress, table.find(tx, job.model), staging))
    rows = progress.done - progress.failed
    return Export(
        job.file_name,
        base.with_suffix(".csv"),
        base.with_suffix(".labels.json"),
        manifest,
        base.with_suffix(".errors.csv") if progress.failed else None,
        tuple(path for path in map(base.with_suffix, (".excel.csv", ".errors.excel.csv")) if path.name in names),
        rows,
        progress.failed,
    )


def _write(tx: Transaction, folder: Path, progress: Progress, *, excel: bool) -> list[str]:
    """Write all but the manifest, and return the names."""
    job = progress.job
    base = folder / _file_name(job.id)
    predictions = base.with_suffix(".csv")
    # Closed whatever happens: a COPY that is left in the middle holds the connection, and no rollback would end.
    with closing(examples.copy_out(tx, job.id)) as blocks:
        write_predictions(predictions, blocks)
    errors = base.with_suffix(".errors.csv") if progress.failed else None
    if errors:
        write_errors(errors, examples.errors_of(tx, job.id))
    write_json(base.with_suffix(".labels.json"), list(table.find(tx, job.model).labels))
    for path in filter(None, (predictions, errors) if excel else ()):
        write_spreadsheet(path, path.with_suffix(".excel.csv"))
    return sorted(path.name for path in folder.iterdir())


def _vouched(manifest: Path) -> Mapping[str, str]:
    """Return the digests of an earlier export to the same folder, by file name, including its manifest's."""
    try:
        content = dict(json.loads(manifest.read_text("utf-8")))
        files = dict(content["files"])
        if content.pop(SEAL) != _sealed(content)[SEAL]:  # somebody edited it
            return {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    job_id = manifest.name.partition(".")[0]
    names = [f"{job_id}{ending}" for ending in ENDINGS]
    return {name: str(files[name]) for name in names if name in files} | {manifest.name: str(digest_of(manifest))}


def _file_name(job_id: JobId) -> str:
    """Return the id as a file name; it is checked, since the database may be somebody else's."""
    if not re.fullmatch(JOB_ID, job_id):
        raise RelexError(f"{job_id!r} is not an id that relex gave to a job: nothing was written")
    return job_id


def _hint_for_remaining(progress: Progress) -> str:
    """Return the hint that leads to the remaining rows; empty if nothing does."""
    if progress.state is JobState.PAUSED:
        return f"{hints.resume(progress.job.id)}, "
    if not progress.state.ended:
        return f"{hints.follow(progress.job.id)}, "
    return f"{progress.retry_hint}, " if progress.unscored else ""


def _manifest(progress: Progress, model: ModelVersion, folder: Path) -> Mapping[str, Any]:
    job = progress.job
    return _sealed(
        {
            "job": job.id,
            "state": progress.state,
            "partial": progress.state is not JobState.DONE,
            "input": {"file": job.file_name, "sha256": job.file_sha256},
            "model": {"version": str(model), "sha256": dict(model.digests), "exact": job.exact},
            "fresh": job.fresh,
            "rows": {
                "accepted": job.total,
                "rejected": job.rejected,
                "done": progress.done,
                "failed": progress.failed,
                "reused": progress.reused,
                "truncated_rows": progress.truncated_rows,
            },
            "files": {path.name: digest_of(path) for path in sorted(folder.iterdir())},
            "submitted_at": format_iso(job.created_at),
            "finished_at": format_iso(job.finished_at),
        }
    )


def _sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with its own digest, by which a manifest that somebody edited is recognized."""
    rest = json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)
    return {**content, SEAL: hashlib.sha256(rest.encode()).hexdigest()}
