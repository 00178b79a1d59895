"""Drawing rows of a job for a person to label, and writing them to a file."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from relex.db import model_versions as table
from relex.db import results, reviews
from relex.db.connection import Database, Transaction
from relex.db.inputs import computed_columns
from relex.domain.examples import Example
from relex.domain.jobs import Job, Progress
from relex.domain.results import Selection
from relex.domain.review import DrawnBy, DrawnRow
from relex.domain.versions import ModelVersion
from relex.errors import RelexError
from relex.files.atomic import atomic_write, new_files
from relex.files.layouts import Layout, ResultTable
from relex.files.reviews import ANSWER, NAMES, TRAILING, ReviewFormat, labeling_config, review_cells, write_review
from relex.flows.results import find_exportable


@dataclass(frozen=True, slots=True)
class Review:
    """The files of a review, and how its rows were drawn."""

    job: str
    path: Path
    config: Path | None
    """The labeling interface for Label Studio, if the review is for it."""
    rows: int
    drawn: Mapping[DrawnBy, int]
    """Number of rows by the way in which they were drawn."""
    notes: tuple[str, ...] = ()


def review(database: Database, job_ref: str, out: Path, rows: int, format_: ReviewFormat, seed: int = 0) -> Review:
    """Write rows of a job that are worth a look, from one snapshot of the database.

    The file appears complete or not at all, and never replaces one with other content: people may have filled it in.

    Raises:
        JobNotFound, JobNotDone: as :func:`relex.flows.results.find_exportable`.
        RelexError: no row of the job could be scored, the file cannot be written, or another one has its name.
    """
    with database.transaction(snapshot=True) as tx:
        progress = find_exportable(tx, job_ref, partial=False)
        job, version = progress.job, table.find(tx, progress.job.model)
        if progress.done == progress.failed:
            raise RelexError(f"{job.id} has no row with a prediction: there is nothing to review")
        drawn = reviews.draw(tx, job.id, version.labels, rows, seed)
        config = out.with_name(f"{out.name}.config.xml") if format_ is ReviewFormat.LABEL_STUDIO else None
        with new_files(out.parent) as staging:
            with atomic_write(staging / out.name) as file:
                _write(tx, file, progress, version, drawn, format_)
            if config:
                with atomic_write(staging / config.name) as file:
                    file.write(labeling_config(version.labels).encode())
    counts = {way: sum(row.drawn_by is way for row in drawn) for way in DrawnBy}
    return Review(job.id, out, config, len(drawn), counts, tuple(_notes(job, version, counts)))


def _write(
    tx: Transaction,
    file: BinaryIO,
    progress: Progress,
    version: ModelVersion,
    drawn: list[DrawnRow],
    format_: ReviewFormat,
) -> None:
    job, by_number = progress.job, {row.row_no: row for row in drawn}

    def cells(example: Example) -> tuple[str, ...]:
        return review_cells(example, by_number[example.row_no], job.id, str(version))

    columns = computed_columns(NAMES, cells)
    chosen, curve = Selection(rows=tuple(by_number)), table.confidence_curve(tx, job.model)
    stream = results.read_results(tx, job.id, version.labels, columns, chosen, curve)
    with closing(stream):
        written = ResultTable(
            layout=Layout.REVIEW,
            labels=version.labels,
            inputs=NAMES,
            rows=len(drawn),
            results=stream,
            origin={"job": job.id, "model": str(version), "input": job.file_name, "input_sha256": job.file_sha256},
            created_at=job.created_at,
            trailing=len(TRAILING),
            answers=ANSWER,
        )
        write_review(file, written, format_)


def _notes(job: Job, version: ModelVersion, counts: Mapping[DrawnBy, int]) -> Iterator[str]:
    """Yield what limits the worth of the rows."""
    trained_on = {each.sha256 for each in version.trained_on or ()}
    if counts[DrawnBy.LABEL_ERROR] and job.file_sha256 in trained_on:
        yield f"{version} was trained on {job.file_name}: it has learned some of the label errors and hides them"
