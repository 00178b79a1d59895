"""Jobs, runs and model versions as text or as plain data. Nothing here reads or prints."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from relex.domain.jobs import JobState, Progress
from relex.domain.runs import RunState, TrainingRun
from relex.domain.versions import ModelVersion
from relex.errors import printable
from relex.hints import jobs as hints
from relex.settings import Settings
from relex.times import iso, local

COLOURS: Mapping[str, str] = {
    JobState.QUEUED: "yellow",
    JobState.RUNNING: "cyan",
    JobState.PAUSED: "yellow",
    JobState.DONE: "green",
    JobState.FAILED: "red",
    JobState.CANCELLED: "magenta",
}
"""Of a state's word, which is the same for jobs and for runs."""
METRICS = {
    "micro_f1": "micro-F1",
    "auprc": "AUPRC",
    "micro_f1_reweighted": "micro-F1, shifted",
    "micro_f1_unseen": "micro-F1, new names",
}
"""The scores that may choose an epoch, as people call them."""
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
        "exact": job.exact,
        "fresh": job.fresh,
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
        "reason": job_reason(progress),
        "since": iso(progress.since),
        "submitted_at": iso(job.created_at),
        "started_at": iso(progress.started_at),
        "paused_at": iso(job.paused_at),
        "cancelled_at": iso(job.cancelled_at),
        "finished_at": iso(job.finished_at),
    }


def job_head(progress: Progress) -> str:
    """The first line about a job, with rich's markup."""
    job, state = progress.job, progress.state
    spent = f"  {duration(progress.seconds)}" if progress.seconds else ""
    model = f"{job.model} exact" if job.exact else job.model
    return f"[bold]{job.id}[/]  {escape(printable(job.file_name))}  {model}  [{COLOURS[state]}]{state}[/]{spent}"


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
    if progress.cancelled_shards:
        shards.append(f"{progress.cancelled_shards} cancelled")
    rows = f"{progress.reused:,} reused  {progress.truncated_rows:,} truncated  {progress.failed:,} failed"
    silent = f" ({progress.stalled_workers} silent)" if progress.stalled_workers else ""
    return f"shards {'  '.join(shards)}    workers {progress.workers}{silent}    {rows}"


def job_since(progress: Progress) -> str:
    """Say since when the job is in its state, in this machine's zone."""
    job = progress.job
    wishes = [f"priority {job.priority}"] if job.priority else []
    if job.max_failed is not None:
        wishes.append(f"fails with more than {job.max_failed:,} failed rows")
    return "    ".join([f"{progress.state} since {local(progress.since)}", *wishes])


def job_reason(progress: Progress) -> str | None:
    """Why the job is in its state, where it did not simply go on."""
    if progress.state is JobState.CANCELLED:
        return "cancelled on request"
    if progress.state is JobState.PAUSED and not progress.reason:
        return "paused on request"
    return progress.reason


def job_hint(progress: Progress, settings: Settings) -> str | None:
    """Say what to do next, where that is not plain."""
    if reason := job_reason(progress):
        return f"note: {printable(reason)}{_way_on(progress)}"
    if progress.state is JobState.DONE and progress.failed:
        failed = f"{progress.failed:,} of {progress.job.total:,} rows could not be scored"
        return f"note: {failed}; {hints.export_row_errors(progress.job.id)}"
    if progress.stalled_workers and not progress.workers:
        return "note: the worker that holds a shard is silent; another gets the shard when its lease ends"
    if progress.pending_shards and not progress.running_shards:
        return f"note: no worker holds a shard at this moment; {_who_scores(progress, settings)}"
    return None


def _way_on(progress: Progress) -> str:
    if progress.state is JobState.PAUSED:
        return f"; {hints.resume(progress.job.id)}"
    return f"; {progress.retry_hint}" if progress.state.ended and progress.unscored else ""


def _who_scores(progress: Progress, settings: Settings) -> str:
    return hints.start_worker() if settings.broker_url else hints.wait_for_background(progress.job.id)


def run_data(run: TrainingRun) -> dict[str, Any]:
    """A training run for `--json`."""
    return {
        "run": run.id,
        "name": run.name,
        "state": run.state,
        "progress": dict(run.progress),
        "best": _best(run),
        "model": run.model,
        "error": run.error,
        "queued_at": iso(run.created_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
    }


def run_line(run: TrainingRun) -> str:
    """A training run in one line of a list, with rich's markup."""
    parts = [run_head(run), local(run.created_at), *_run_place(run)]
    if best := _best(run):
        parts.append(f"best {METRICS[best['metric']]} {best['score']:.2f} in epoch {best['epoch']:g}")
    if run.error:
        first_line = run.error.partition("\n")[0]
        parts.append(f"error: {escape(first_line)}")
    return "  ".join(parts)


def run_head(run: TrainingRun) -> str:
    """What a training run is and what became of it, with rich's markup."""
    head = f"[bold]{run.id}[/]  {run.name}  [{COLOURS[run.state]}]{run.state}[/]"
    return f"{head}  {run.model}" if run.model else head


def run_lines(run: TrainingRun) -> list[str]:
    """A training run for people: its state, how far it is, and the scores of each epoch."""
    lines, told = [run_head(run)], run.progress
    if parts := _run_place(run):
        if told.get("loss") is not None:
            parts += [f"loss {told['loss']:.3f}", f"lr {told['learning_rate']:.1e}"]
        lines.append("  " + "   ".join(parts))
    lines += [epoch_line(each) for each in told.get("history", [])]
    if run.model and told.get("history"):
        lines.append(
            f"  epochs are scored while training; `relex models` has the scores of {run.model} as saved, in fp32"
        )
    if run.error:
        lines.append(f"  {'error' if run.state is RunState.FAILED else 'note'}: {escape(run.error)}")
    return lines


def _run_place(run: TrainingRun) -> list[str]:
    told = run.progress
    if not told.get("steps"):
        fetched = told.get("download")
        return (
            [f"fetching the backbone: {_megabytes(fetched['fetched'])} of {_megabytes(fetched['total'])}"]
            if fetched
            else []
        )
    fold = [f"fold {told['fold']}/{told['folds']}"] if "folds" in told else []
    return [*fold, f"epoch {told['epoch']:g}/{told['epochs']}", f"step {told['step']:,}/{told['steps']:,}"]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _best(run: TrainingRun) -> dict[str, Any] | None:
    epoch = run.best_epoch
    return {"epoch": epoch["epoch"], "metric": run.metric, "score": epoch[run.metric]} if epoch else None


def epoch_line(scores: dict[str, Any]) -> str:
    """One epoch's scores, all that there are."""
    told = [f"{words} {scores[name]:.2f}" for name, words in METRICS.items() if name in scores]
    return f"  epoch {scores['epoch']:g}   {'   '.join(told)}"


def model_data(version: ModelVersion) -> dict[str, Any]:
    """A model version for `--json`."""
    return {
        "model": str(version),
        "current": version.current,
        "run": version.run_id,
        "registered_at": iso(version.created_at),
        "note": version.note,
        "scores": [
            {
                "sha256": each.data_sha256,
                "examples": each.examples,
                "micro_f1": each.micro_f1,
                "auprc": each.auprc,
                "precision": each.precision,
            }
            for each in version.scores
        ],
        "trained_on": None
        if version.trained_on is None
        else [{"file": file.name, "sha256": file.sha256} for file in version.trained_on],
        "sha256": dict(version.digests),
    }
