"""Exporting a job to files: its results in a layout and a format, the order of the labels, and a manifest of all."""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from relex.db import model_versions as table
from relex.db import results
from relex.db.connection import Database, Transaction
from relex.domain.acceptance import Acceptance
from relex.domain.jobs import JOB_ID, Job, JobId, JobState, Progress
from relex.domain.results import ALL_RESULTS, Selection
from relex.domain.versions import ModelVersion
from relex.errors import RelexError
from relex.files.atomic import atomic_write, digest_of, new_files, write_json
from relex.files.layouts import Format, Layout
from relex.files.writing import write_errors, write_spreadsheet
from relex.flows.acceptance import accept
from relex.flows.quality import assess
from relex.flows.results import count_rows, find_exportable, write_to
from relex.lazy import load_two_sample_test
from relex.times import format_iso

SEAL = "sha256_of_the_rest"
"""The key of a manifest's own digest."""
MANIFEST = ".manifest.json"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What an export holds, and how."""

    layout: Layout = Layout.SUBMISSION
    format: Format = Format.CSV
    selection: Selection = ALL_RESULTS
    partial: bool = False
    """Export the predictions of a job that is not done."""
    excel: bool = False
    """Copy each CSV for a spreadsheet, with its formulas escaped."""
    max_error: float | None = None
    """Say which rows are accepted, so that their share of wrong ones is promised to stay below this."""
    accepted_only: bool = False
    """Write only these rows."""
    rest: Path | None = None
    """File for all others, as a review."""

    @property
    def is_default(self) -> bool:
        """Whether the file has the layout and the format that exports always had."""
        return (self.layout, self.format) == (Layout.SUBMISSION, Format.CSV)


DEFAULT = ExportOptions()


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
    """Number of rows written."""
    failed: int
    """Number of rows of the job that could not be scored."""
    acceptance: Acceptance | None = None
    """What is promised of the accepted rows, if that was asked for."""
    rest: int = 0
    """Number of rows written to the file of the others."""
    check_inverse: bool = False
    """Whether the job scored inverse pairs, so that a review has their labels."""


class _Names:
    """The names of the files of an export: those of two layouts or formats of one job do not collide."""

    def __init__(self, job: Job, options: ExportOptions) -> None:
        job_id = _file_name(job.id)
        stem = job_id if options.layout is Layout.SUBMISSION else f"{job_id}.{options.layout}"
        self.data = f"{stem}.{options.format}"
        self.labels = f"{job_id}.labels.json"
        self.errors = f"{job_id}.errors.csv"
        self.copies = {self.data: f"{stem}.excel.csv", self.errors: f"{job_id}.errors.excel.csv"}
        """Names of the copies for spreadsheets, by the name of the CSV."""
        self.manifest = f"{job_id if options.is_default else self.data}{MANIFEST}"
        self.manifests = f"{job_id}*{MANIFEST}"
        """A pattern for the manifests of all exports of the job."""

    @property
    def all(self) -> list[str]:
        """All names but that of the manifest."""
        return [self.data, self.labels, self.errors, *self.copies.values()]


def export(database: Database, job_ref: str, out: Path, options: ExportOptions = DEFAULT) -> Export:
    """Write a job's results, labels and manifest to `out`, from one snapshot of the database.

    Each file is written elsewhere and then moved, the manifest last: a folder with a manifest is complete. An earlier
    export of the job in the same layout and format is replaced if its files are as its manifest says; no other file is.

    Raises:
        JobNotFound, JobNotDone: as :func:`relex.flows.results.find_exportable`.
        InvalidInput: the selection names a label that the model does not have.
        RelexError: the folder cannot be written to, another file goes by one of the names, or the format needs a
            library that is not installed, or cannot hold the results.
    """
    assess(database, job_ref, load_two_sample_test)
    with database.transaction(snapshot=True) as tx, ExitStack() as stack:
        progress = find_exportable(tx, job_ref, partial=options.partial)
        acceptance, options = _accept(tx, progress, options)
        names = _Names(progress.job, options)
        rows = count_rows(tx, progress, options.layout, options.selection)
        staging = stack.enter_context(new_files(out, _vouched(out, names), last=names.manifest))
        rest = _write_rest(tx, stack, progress, options)
        _write(tx, staging, names, progress, options)
        written = sorted(path.name for path in staging.iterdir())
        version = table.find(tx, progress.job.model)
        content = _manifest(progress, version, options, rows, staging)
        if acceptance:
            content = {**content, "acceptance": {**acceptance.to_data(), "rest": rest}}
        write_json(staging / names.manifest, _sealed(content))
    return Export(
        progress.job.file_name,
        out / names.data,
        out / names.labels,
        out / names.manifest,
        out / names.errors if progress.failed else None,
        tuple(out / copy for copy in names.copies.values() if copy in written),
        rows,
        progress.failed,
        acceptance,
        rest["rows"] if rest else 0,
        progress.job.check_inverse,
    )


def has_export(out: Path, job_id: JobId, *, in_layout: Layout | None = None) -> bool:
    """Return whether a folder holds an export of a job, or one in a certain layout."""
    infix = "" if in_layout is None or in_layout is Layout.SUBMISSION else f".{in_layout}"
    return any(out.glob(f"{_file_name(job_id)}{infix}*{MANIFEST}"))


def export_to_stream(
    database: Database, job_ref: str, file: BinaryIO, options: ExportOptions
) -> tuple[int, Acceptance | None]:
    """Write a job's results alone to an open file; raises as :func:`export`.

    Returns:
        The number of rows, and what is promised of those that are accepted.
    """
    if options.max_error is not None:  # a promise rests on the whole drift, wherever it goes
        assess(database, job_ref, load_two_sample_test)
    with database.transaction(snapshot=True) as tx:
        progress = find_exportable(tx, job_ref, partial=options.partial)
        acceptance, options = _accept(tx, progress, options)
        write_to(tx, progress, file, options.layout, options.format, options.selection)
        return count_rows(tx, progress, options.layout, options.selection), acceptance


def _accept(tx: Transaction, progress: Progress, options: ExportOptions) -> tuple[Acceptance | None, ExportOptions]:
    """Return what is promised, and the options with a selection that knows the threshold."""
    if options.max_error is None:
        return None, options
    acceptance = accept(tx, progress, options.max_error)
    threshold, accepted = acceptance.promise.threshold, True if options.accepted_only else None
    selection = replace(options.selection, accept_from=threshold, accepted=accepted)
    return acceptance, replace(options, selection=selection)


def _write_rest(tx: Transaction, stack: ExitStack, progress: Progress, options: ExportOptions) -> dict[str, Any] | None:
    """Write the rows that are not accepted to a file, which appears before the folder of the export is complete."""
    path, selection = options.rest, options.selection
    if path is None:
        return None
    others = Selection(by_margin=selection.by_margin, accept_from=selection.accept_from, accepted=False)
    format_ = next((each for each in Format if path.suffix.lower() == f".{each}"), Format.CSV)
    staging = stack.enter_context(new_files(path.parent))
    with atomic_write(staging / path.name) as file:
        write_to(tx, progress, file, Layout.REVIEW, format_, others)
    rows = count_rows(tx, progress, Layout.REVIEW, others)
    return {"file": path.name, "rows": rows, "sha256": digest_of(staging / path.name)}


def _write(tx: Transaction, folder: Path, names: _Names, progress: Progress, options: ExportOptions) -> None:
    """Write all but the manifest."""
    with atomic_write(folder / names.data) as file:
        write_to(tx, progress, file, options.layout, options.format, options.selection)
    if progress.failed:
        write_errors(folder / names.errors, results.errors_of(tx, progress.job.id))
    write_json(folder / names.labels, list(table.find(tx, progress.job.model).labels))
    for name, copy in names.copies.items() if options.excel else ():
        if (folder / name).exists():
            write_spreadsheet(folder / name, folder / copy)


def _vouched(out: Path, names: _Names) -> dict[str, str]:
    """Return the digests, by name, of files that an export of this job wrote and nobody has changed since.

    Exports of one job share the labels and the errors, so the manifest of any of them vouches for these.
    """
    manifests = {path.name: _files_of(path) for path in out.glob(names.manifests)}
    claims = {(name, digest) for files in manifests.values() for name, digest in files.items()}
    own = [names.manifest] if manifests.get(names.manifest) else []
    digests = {name: str(digest_of(out / name)) for name in [*names.all, *own]}
    return {name: digest for name, digest in digests.items() if name in own or (name, digest) in claims}


def _files_of(manifest: Path) -> dict[str, str]:
    """Return the digests of a manifest's files by their names; none if somebody has edited it."""
    try:
        content = dict(json.loads(manifest.read_text("utf-8")))
        files = {str(name): str(digest) for name, digest in dict(content["files"]).items()}
        return files if content.pop(SEAL) == _sealed(content)[SEAL] else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _file_name(job_id: JobId) -> str:
    """Return the id as a file name; it is checked, since the database may be somebody else's."""
    if not re.fullmatch(JOB_ID, job_id):
        raise RelexError(f"{job_id!r} is not an id that relex gave to a job: nothing was written")
    return job_id


def _manifest(
    progress: Progress, model: ModelVersion, options: ExportOptions, rows: int, folder: Path
) -> Mapping[str, Any]:
    job, selection = progress.job, options.selection
    return {
        "job": job.id,
        "state": progress.state,
        "partial": progress.state is not JobState.DONE,
        "layout": options.layout,
        "format": options.format,
        "filters": {
            "labels": list(selection.labels),
            "min_confidence": selection.min_confidence,
            "doubtful": selection.limit,
        },
        "sort": "margin" if selection.by_margin else "input",
        "input": {"file": job.file_name, "sha256": job.file_sha256},
        "model": {"version": str(model), "sha256": dict(model.digests), "exact": job.exact},
        "fresh": job.fresh,
        "check_inverse": job.check_inverse,
        "rows": {
            "accepted": job.total,
            "rejected": job.rejected,
            "done": progress.done,
            "failed": progress.failed,
            "reused": progress.reused,
            "truncated_rows": progress.truncated_rows,
            "exported": rows,
        },
        "expected": job.expected.to_data() if job.expected else None,
        "drift": job.drift.to_data() if job.drift else None,
        "files": {path.name: digest_of(path) for path in sorted(folder.iterdir())},
        "submitted_at": format_iso(job.created_at),
        "finished_at": format_iso(job.finished_at),
    }


def _sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with its own digest, by which a manifest that somebody edited is recognized."""
    rest = json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)
    return {**content, SEAL: hashlib.sha256(rest.encode()).hexdigest()}
