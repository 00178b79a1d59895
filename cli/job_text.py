"""Jobs as text, as tables and as plain data; nothing here reads or prints."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from cli.quality_text import quality_lines
from cli.tables import Column, Part, Table, format_time, number, time_heading
from relex.domain.calibration import Estimate
from relex.domain.jobs import JobId, JobState, Progress
from relex.domain.sample_scores import SampleScores
from relex.errors import counted, printable
from relex.files.layouts import Layout
from relex.flows.export import has_export
from relex.hints import jobs as hints
from relex.hints import next_steps
from relex.settings import Settings
from relex.times import format_iso, format_local

STATE_STYLES: Mapping[str, str] = {
    JobState.QUEUED: "yellow",
    JobState.RUNNING: "cyan",
    JobState.PAUSED: "yellow",
    JobState.DONE: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "magenta",
}
"""The color of each state; jobs and training runs share these words."""
MINUTE, HOUR = 60, 3600
EXPORT_FOLDER = Path("outputs")
"""The folder that `next_steps.export` names."""


def format_duration(seconds: float) -> str:
    """Write a duration as `4 s`, `1m 12s` or `3h 05m`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE}m {whole % MINUTE:02d}s"
    return f"{whole // HOUR}h {whole % HOUR // MINUTE:02d}m"


def state_text(state: str) -> Text:
    """Return a state in its color."""
    return Text(state, STATE_STYLES[state])


def job_data(progress: Progress) -> dict[str, Any]:
    """Return a job as plain data, for `--json`."""
    job = progress.job
    return {
        "job": job.id,
        "state": progress.state,
        "file": job.file_name,
        "sha256": job.file_sha256,
        "model": job.model,
        "exact": job.exact,
        "fresh": job.fresh,
        "check_inverse": job.check_inverse,
        "priority": job.priority,
        "max_failed": job.max_failed,
        "total": job.total,
        "done": progress.done,
        "open": progress.open,
        "unscored": progress.unscored,
        "failed": progress.failed,
        "rejected": job.rejected,
        "reused": progress.reused,
        "truncated_rows": progress.truncated_rows,
        "shards": {
            "pending": progress.pending_shards,
            "running": progress.running_shards,
            "done": progress.done_shards,
            "failed": progress.failed_shards,
            "cancelled": progress.cancelled_shards,
        },
        "workers": progress.workers,
        "stalled_workers": progress.stalled_workers,
        "rows_per_second": progress.rows_per_second,
        "seconds_left": progress.seconds_left,
        "expected": job.expected.to_data() if job.expected else None,
        "drift": job.drift.to_data() if job.drift else None,
        "reason": job_reason(progress),
        "since": format_iso(progress.since),
        "submitted_at": format_iso(job.created_at),
        "started_at": format_iso(progress.started_at),
        "paused_at": format_iso(job.paused_at),
        "cancelled_at": format_iso(job.cancelled_at),
        "finished_at": format_iso(job.finished_at),
    }


def jobs_table(jobs: Sequence[Progress]) -> Table:
    """Return a line for each job."""
    columns = (
        Column("job"),
        Column("file", min_width=14),
        Column("model", rank=2, min_width=12),
        Column("state"),
        number("done"),
        number("rows", rank=1),
        Column(time_heading("submitted")),
        number("time", rank=3),
    )
    return Table(columns, [_job_row(progress) for progress in jobs])


def _job_row(progress: Progress) -> tuple[str | Text, ...]:
    job = progress.job
    return (
        Text(job.id, "bold"),
        printable(job.file_name),
        model_name(progress),
        state_text(progress.state),
        _percent(progress),
        f"{job.total:,}",
        format_time(job.created_at),
        format_duration(progress.seconds) if progress.seconds else "",
    )


def model_name(progress: Progress) -> str:
    """Return the model version of a job, and `exact` where it scores in fp32."""
    return f"{progress.job.model} exact" if progress.job.exact else progress.job.model


def job_parts(progress: Progress) -> list[Part]:
    """Return what `relex status` prints about a job, without its note."""
    return [
        job_head(progress),
        f"  {job_since(progress)}",
        f"  {job_counts(progress)}",
        shards_table(progress),
        *(Text.assemble("  ", line) for line in quality_lines(progress.job)),
    ]


def job_head(progress: Progress) -> Text:
    """Return the first line about a job: its id, file, model, state and the time that its shards took."""
    job = progress.job
    spent = f"  {format_duration(progress.seconds)}" if progress.seconds else ""
    words = f"  {printable(job.file_name)}  {model_name(progress)}  "
    return Text.assemble((job.id, "bold"), words, state_text(progress.state), spent)


def job_counts(progress: Progress) -> str:
    """Return rows done, speed and time left."""
    parts = [f"{progress.done:,} / {progress.job.total:,} rows", _percent(progress)]
    if progress.rows_per_second:
        parts.append(f"{progress.rows_per_second:,.0f} rows/s")
    if progress.seconds_left is not None:
        parts.append(f"about {format_duration(progress.seconds_left)} left")
    return "   ".join(parts)


def _percent(progress: Progress) -> str:
    return f"{progress.done * 100 // progress.job.total}%"


def shards_table(progress: Progress) -> Table:
    """Return one line of counts: shards by state, workers, and rows that deserve attention."""
    figures = list(_figures(progress))
    return Table([column for column, _ in figures], [[f"{count:,}" for _, count in figures]], indent=2)


def _figures(progress: Progress) -> Iterator[tuple[Column, int]]:
    yield number("shards done"), progress.done_shards
    if not progress.state.ended:
        yield number("running"), progress.running_shards
        yield number("waiting"), progress.pending_shards
    if progress.failed_shards:
        yield number("failed shards"), progress.failed_shards
    if progress.cancelled_shards:
        yield number("cancelled"), progress.cancelled_shards
    if not progress.state.ended:
        yield number("workers"), progress.workers
    if progress.stalled_workers:
        yield number("stalled"), progress.stalled_workers
    yield number("rows reused", rank=2), progress.reused
    yield number("truncated", rank=1), progress.truncated_rows
    yield number("failed"), progress.failed


def labeled_line(scores: SampleScores) -> str:
    """Say what the labels that people gave to rows say about the whole job."""
    rows = f"labeled by hand: {counted(scores.rows, 'row')}"
    if scores.accuracy is None or scores.micro_f1 is None:
        return f"{rows}, too few of them drawn at random to score the job"
    return f"{rows}   accuracy {estimate_text(scores.accuracy)}   micro-F1 {estimate_text(scores.micro_f1)}"


def estimate_text(estimate: Estimate) -> str:
    """Write an estimate with its interval."""
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"


def labeled_data(scores: SampleScores | None) -> dict[str, Any] | None:
    """Return these scores as plain data, for `--json`."""
    return None if scores is None else asdict(scores)


def job_since(progress: Progress) -> str:
    """Say when the job entered its state, in this machine's zone, and its priority and error budget."""
    job = progress.job
    details = [f"priority {job.priority}"] if job.priority else []
    if job.max_failed is not None:
        details.append(f"fails with more than {job.max_failed:,} failed rows")
    return "    ".join([f"{_state_at(progress.state)} {format_local(progress.since)}", *details])


def _state_at(state: JobState) -> str:
    """Return the words before the time at which a job entered its state."""
    if state is JobState.DONE:
        return "finished"
    return str(state) if state.ended else f"{state} since"


def job_reason(progress: Progress) -> str | None:
    """Say why the job is in its state, where it did not get there by itself."""
    if progress.state is JobState.CANCELLED:
        return "cancelled on request"
    if progress.state is JobState.PAUSED and not progress.reason:
        return "paused on request"
    return progress.reason


def job_note(progress: Progress, settings: Settings) -> str | None:
    """Return what a person should know or do about the job, where that is not plain."""
    job = progress.job
    if reason := job_reason(progress):
        return f"note: {printable(reason)}{_way_out(progress)}"
    if progress.state is JobState.DONE and progress.failed:
        failed = f"{progress.failed:,} of {job.total:,} rows could not be scored"
        return f"note: {failed}; {hints.export_row_errors(job.id)}"
    if progress.stalled_workers and not progress.workers:
        return "note: the worker that holds a shard has stalled; another one takes the shard when its lease expires"
    if progress.pending_shards and not progress.running_shards:
        start = hints.start_worker() if settings.broker_url else hints.wait_for_background(job.id)
        return f"note: no worker is scoring this job; {start}"
    return None


def _way_out(progress: Progress) -> str:
    if progress.state is JobState.PAUSED:
        return f"; {hints.resume(progress.job.id)}"
    return f"; {progress.retry_hint}" if progress.state.ended and progress.unscored else ""


def next_export(job_id: JobId) -> str | None:
    """Return the export that the folder of exports lacks: the predictions, then the workbook to review them."""
    if not has_export(EXPORT_FOLDER, job_id):
        return next_steps.export(job_id)
    reviewed = has_export(EXPORT_FOLDER, job_id, in_layout=Layout.REVIEW)
    return None if reviewed else next_steps.export_for_review(job_id, EXPORT_FOLDER)


def job_next_step(progress: Progress) -> str | None:
    """Return the next step, unless the note about the job names one."""
    if progress.state is JobState.DONE:
        return next_steps.retry_rows(progress.job.id) if progress.failed else next_export(progress.job.id)
    is_open = progress.state in (JobState.QUEUED, JobState.RUNNING)
    return next_steps.follow(progress.job.id) if is_open else None
