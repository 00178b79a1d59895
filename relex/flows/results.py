"""The results of a job as one stream: what an export, `relex show` and the Python interface have in common."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import BinaryIO

from relex.db import jobs, results
from relex.db import model_versions as table
from relex.db.connection import Database, Transaction
from relex.db.inputs import described_columns, input_columns
from relex.domain.jobs import JobState, Progress
from relex.domain.results import ALL_RESULTS, Result, Selection
from relex.domain.versions import ModelVersion
from relex.errors import InvalidInput, JobNotDone, counted, did_you_mean, quoted
from relex.files.layouts import Format, Layout, ResultTable
from relex.files.results import write_results
from relex.files.writing import write_prediction_blocks
from relex.hints import jobs as hints


def find_exportable(tx: Transaction, job_ref: str, *, partial: bool) -> Progress:
    """Return the progress of a job whose results may be read.

    Raises:
        JobNotFound: nothing goes by this id, or several do.
        JobNotDone: rows are still to be scored and `partial` is false.
    """
    progress = jobs.progress(tx, jobs.find(tx, job_ref))
    if progress.state is JobState.DONE or partial:
        return progress
    job = progress.job
    raise JobNotDone(
        f"{job.id} is {progress.state}: {progress.done:,} of {counted(job.total, 'row')}; "
        f"{_hint_for_remaining(progress)}{hints.export_partial()}"
    )


@contextmanager
def open_results(
    tx: Transaction, progress: Progress, layout: Layout, selection: Selection = ALL_RESULTS
) -> Iterator[ResultTable]:
    """Open the results of a job; they may be read once, inside the block.

    Raises:
        InvalidInput: the selection names a label that the model does not have.
    """
    job, version = progress.job, table.find(tx, progress.job.model)
    _check_labels(version, selection.labels)
    inputs, curve = input_columns(tx, job.id), table.confidence_curve(tx, job.model)
    chosen = selection.with_curve(curve)
    stream: Generator[Result] = (
        results.read_results(tx, job.id, version.labels, inputs, chosen, curve)
        if layout is Layout.REVIEW
        else results.read_predictions(tx, job.id, version.labels, chosen)
    )
    with closing(stream):  # or the COPY would hold the connection, and no rollback would end
        rows = count_rows(tx, progress, layout, selection)
        yield ResultTable(
            layout,
            version.labels,
            inputs.names,
            rows,
            stream,
            _origin(progress, version),
            job.created_at,
            with_accepted=selection.accept_from is not None,
            with_inverse=job.check_inverse,
        )


def first_results(database: Database, job_ref: str, selection: Selection) -> list[Result]:
    """Return results with their sentence, subject and object as a person reads them; raises as :func:`open_results`."""
    with database.transaction(snapshot=True) as tx:
        progress = find_exportable(tx, job_ref, partial=True)
        version = table.find(tx, progress.job.model)
        _check_labels(version, selection.labels)
        curve = table.confidence_curve(tx, progress.job.model)
        chosen = selection.with_curve(curve)
        return list(results.read_results(tx, progress.job.id, version.labels, described_columns(), chosen, curve))


def write_to(
    tx: Transaction, progress: Progress, file: BinaryIO, layout: Layout, format_: Format, selection: Selection
) -> None:
    """Write the results of a job to an open file.

    Raises:
        InvalidInput: as :func:`open_results`.
        RelexError: the format needs a library that is not installed, or cannot hold the results.
    """
    if (layout, format_) != (Layout.SUBMISSION, Format.CSV):
        with open_results(tx, progress, layout, selection) as result_table:
            write_results(file, result_table, format_)
        return
    version = table.find(tx, progress.job.model)
    _check_labels(version, selection.labels)
    chosen = selection.with_curve(table.confidence_curve(tx, progress.job.model))
    with closing(results.copy_csv(tx, progress.job.id, version.labels, chosen)) as blocks:
        write_prediction_blocks(file, blocks)


def count_rows(tx: Transaction, progress: Progress, layout: Layout, selection: Selection) -> int:
    """Count the rows that a layout and a selection have."""
    if selection.filters:
        labels = table.find(tx, progress.job.model).labels
        chosen = selection.with_curve(table.confidence_curve(tx, progress.job.model))
        return results.count_results(tx, progress.job.id, labels, chosen, for_review=layout is Layout.REVIEW)
    return progress.done if layout is Layout.REVIEW else progress.done - progress.failed


def _origin(progress: Progress, version: ModelVersion) -> dict[str, str]:
    """Return where the results come from."""
    job = progress.job
    digests = {f"sha256.{name}": digest for name, digest in sorted(version.digests.items())}
    return {"job": job.id, "model": str(version), "input": job.file_name, "input_sha256": job.file_sha256, **digests}


def _check_labels(version: ModelVersion, labels: Sequence[str]) -> None:
    for label in labels:
        if label not in version.labels:
            raise InvalidInput(
                f"{version} has no label {quoted(label)}{did_you_mean(label, version.labels)}; {hints.list_labels()}"
            )


def _hint_for_remaining(progress: Progress) -> str:
    """Return the hint that leads to the remaining rows; empty if nothing does."""
    if progress.state is JobState.PAUSED:
        return f"{hints.resume(progress.job.id)}, "
    if not progress.state.ended:
        return f"{hints.follow(progress.job.id)}, "
    return f"{progress.retry_hint}, " if progress.unscored else ""
