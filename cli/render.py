"""Jobs, runs and model versions as text or as plain data. Nothing here reads or prints."""

from datetime import datetime
from typing import Any

from rich.markup import escape

from relex.jobs import JobState, Progress
from relex.runs import ModelVersion, RunState, TrainingRun

COLOURS = {
    JobState.QUEUED: "yellow",
    JobState.RUNNING: "cyan",
    JobState.DONE: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "magenta",
}
MINUTE, HOUR = 60, 3600


def duration(seconds: float) -> str:
    """`4 s`, `1m 12s`, `3h 05m`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE}m {whole % MINUTE:02d}s"
    return f"{whole // HOUR}h {whole % HOUR // MINUTE:02d}m"


def job_data(progress: Progress) -> dict[str, Any]:
    """A job for `--json`."""
    job = progress.job
    return {
        "job": job.id,
        "state": progress.state,
        "file": job.file_name,
        "sha256": job.file_sha256,
        "model": job.model,
        "total": job.total,
        "done": progress.done,
        "failed": progress.failed,
        "rejected": job.rejected,
        "windows_cut": progress.windows_cut,
        "shards": {
            "pending": progress.pending_shards,
            "running": progress.running_shards,
            "done": progress.done_shards,
            "failed": progress.failed_shards,
        },
        "workers": progress.workers,
        "rows_per_second": progress.rows_per_second,
        "seconds_left": progress.seconds_left,
        "reason": progress.reason,
        "submitted_at": _iso(job.created_at),
        "finished_at": _iso(job.finished_at),
    }


def job_head(progress: Progress) -> str:
    """The first line about a job, with rich's markup."""
    job, state = progress.job, progress.state
    spent = f"  {duration(progress.seconds)}" if progress.seconds else ""
    return f"[bold]{job.id}[/]  {escape(job.file_name)}  {job.model}  [{COLOURS[state]}]{state}[/]{spent}"


def job_counts(progress: Progress) -> str:
    """Rows done, speed and time left."""
    total = progress.job.total
    parts = [f"{progress.done:,} / {total:,} rows", f"{progress.done * 100 // total}%"]
    if progress.rows_per_second:
        parts.append(f"{progress.rows_per_second:,.0f} rows/s")
    if progress.seconds_left is not None:
        parts.append(f"about {duration(progress.seconds_left)} left")
    return "   ".join(parts)


def job_details(progress: Progress) -> str:
    """Shards, workers and what a person should know about the rows."""
    shards = [
        f"{progress.done_shards} done",
        f"{progress.running_shards} running",
        f"{progress.pending_shards} waiting",
    ]
    if progress.failed_shards:
        shards.append(f"{progress.failed_shards} failed")
    rows = f"{progress.windows_cut:,} windows cut  {progress.failed:,} failed"
    return f"shards {'  '.join(shards)}    workers {progress.workers}    {rows}"


def job_hint(progress: Progress) -> str | None:
    """What to do next, where that is not plain."""
    if progress.reason:
        return f"note: {escape(progress.reason)}"
    if progress.pending_shards and not progress.running_shards and not progress.state.ended:
        return "note: no worker holds a shard at this moment; `relex worker` starts one"
    return None


def run_data(run: TrainingRun) -> dict[str, Any]:
    """A training run for `--json`."""
    return {
        "run": run.id,
        "name": run.name,
        "state": run.state,
        "progress": dict(run.progress),
        "model": run.model,
        "error": run.error,
        "queued_at": _iso(run.created_at),
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
    }


def run_lines(run: TrainingRun) -> list[str]:
    """A training run for people: its state, how far it is, and the scores of each epoch."""
    lines = [f"[bold]{run.id}[/]  {run.name}  {run.state}" + (f"  {run.model}" if run.model else "")]
    told = run.progress
    if told.get("steps"):
        parts = [f"epoch {told['epoch']:g}/{told['epochs']}", f"step {told['step']:,}/{told['steps']:,}"]
        if told.get("loss") is not None:
            parts += [f"loss {told['loss']:.3f}", f"lr {told['learning_rate']:.1e}"]
        lines.append("  " + "   ".join(parts))
    lines += [epoch_line(each) for each in told.get("history", [])]
    if run.state is RunState.FAILED:
        lines.append(f"  error: {escape(str(run.error))}")
    return lines


def epoch_line(scores: dict[str, Any]) -> str:
    """One epoch's scores."""
    return f"  epoch {scores['epoch']:g}   micro-F1 {scores['micro_f1']:.2f}   AUPRC {scores['auprc']:.2f}"


def model_data(version: ModelVersion) -> dict[str, Any]:
    """A model version for `--json`."""
    return {
        "model": str(version),
        "current": version.current,
        "run": version.run_id,
        "registered_at": _iso(version.created_at),
        "scores": [
            {"sha256": each.data_sha256, "examples": each.examples, "micro_f1": each.micro_f1, "auprc": each.auprc}
            for each in version.scores
        ],
        "sha256": dict(version.digests),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
