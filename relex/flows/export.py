"""From a job to files: the predictions, the labels' order, and a manifest that says where they came from."""

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relex import hints
from relex.csvfile.spreadsheet import write_spreadsheet
from relex.csvfile.writing import remove, write_errors, write_predictions
from relex.db import examples, jobs
from relex.db import models as table
from relex.db.connection import Database
from relex.errors import JobUnfinished, RelexError
from relex.flows.files import write_json
from relex.jobs import JOB_ID, JobId, JobState, Progress
from relex.runs import ModelVersion
from relex.times import iso


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
    """The CSVs once more, as Excel wants them, where that was asked for."""
    rows: int
    """Predictions written."""
    failed: int


def export(database: Database, given: str, out: Path, *, partial: bool = False, excel: bool = False) -> Export:
    """Write a job's predictions, labels and manifest to `out`, all of one moment.

    Each file is written under another name and then renamed, the manifest last: a folder with a manifest is
    complete. With `excel` each CSV has a copy beside it that a spreadsheet opens without harm.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        JobUnfinished: rows are still to be scored and `partial` was not asked for.
        RelexError: the folder cannot be written to.
    """
    with database.transaction(snapshot=True) as tx:
        progress = jobs.progress(tx, jobs.find(tx, given))
        job = progress.job
        if progress.state is not JobState.DONE and not partial:
            raise JobUnfinished(
                f"{job.id} is {progress.state}: {progress.done:,} of {job.total:,} rows; "
                f"{_way_to_the_rest(progress)}{hints.export_partial()}"
            )
        model = table.find(tx, job.model)
        out.mkdir(parents=True, exist_ok=True)
        base = out / _file_name(job.id)
        _forget_earlier(base)
        predictions = base.with_suffix(".csv")
        # Closed whatever happens: a COPY that is left in the middle holds the connection, and no rollback would end.
        with closing(examples.copy_out(tx, job.id)) as blocks:
            write_predictions(predictions, blocks)
        errors = base.with_suffix(".errors.csv") if progress.failed else None
        if errors:
            write_errors(errors, examples.errors_of(tx, job.id))
    labels = write_json(base.with_suffix(".labels.json"), list(model.labels))
    spreadsheets = tuple(_spreadsheet(path) for path in (predictions, errors) if path and excel)
    manifest = write_json(base.with_suffix(".manifest.json"), _manifest(progress, model))
    rows = progress.done - progress.failed
    return Export(job.file_name, predictions, labels, manifest, errors, spreadsheets, rows, progress.failed)


def _forget_earlier(base: Path) -> None:
    """Of an earlier export into the same folder: its manifest first, and what this one may not write again."""
    for ending in (".manifest.json", ".errors.csv", ".excel.csv", ".errors.excel.csv"):
        remove(base.with_suffix(ending))


def _file_name(job_id: JobId) -> str:
    """The id as a name in `out`; ids are relex' own, but the database may be somebody else's."""
    if not re.fullmatch(JOB_ID, job_id):
        raise RelexError(f"{job_id!r} is no id that relex gave to a job: nothing was written")
    return job_id


def _spreadsheet(path: Path) -> Path:
    """`JOB.csv` as `JOB.excel.csv`."""
    copy = path.with_suffix(".excel.csv")
    write_spreadsheet(path, copy)
    return copy


def _way_to_the_rest(progress: Progress) -> str:
    """Say what makes the rest of the rows come, as far as anything does."""
    if progress.state is JobState.PAUSED:
        return f"{hints.resume(progress.job.id)}, "
    if not progress.state.ended:
        return f"{hints.follow(progress.job.id)}, "
    return f"{progress.retry_hint}, " if progress.unscored else ""


def _manifest(progress: Progress, model: ModelVersion) -> Mapping[str, Any]:
    job = progress.job
    return {
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
            "answered": progress.answered,
            "windows_cut": progress.windows_cut,
        },
        "submitted_at": iso(job.created_at),
        "finished_at": iso(job.finished_at),
    }
