"""Looking on while a job is scored or a run trains: a live bar on a terminal, elsewhere a line a step."""

import time
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from cli.render import duration, epoch_line, job_counts, run_lines
from relex.db.connection import Database
from relex.domain.jobs import JobState, Progress
from relex.domain.runs import TrainingRun
from relex.flows.status import job_status, run_status
from relex.flows.sweep import sweep
from relex.hints import jobs as hints
from relex.settings import Settings
from worker.background import revive

LOOK_SECONDS = 0.5
SWEEP_EVERY = 10  # looks
STEP_PERCENT = 10

Watched = TypeVar("Watched", Progress, TrainingRun)


def look_after(settings: Settings, database: Database) -> None:
    """Recover what silent workers left, and without a broker start who should be at work."""
    revive(settings, sweep(database))


def watch_job(settings: Settings, database: Database, job_id: str, console: Console) -> Progress:
    """Show a job until it has ended and return its last state."""
    if not console.is_terminal:
        return _watch_job_by_lines(settings, database, job_id, console)
    columns = (
        TextColumn("  "),
        BarColumn(40),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(job_id, total=None, words="")

        def show(progress: Progress) -> None:
            bars.update(bar, total=progress.job.total, completed=progress.done, words=_speed(progress))

        return _watch(settings, database, _job_reader(settings, database, job_id), show, console)


def watch_run(settings: Settings, database: Database, run_id: str, console: Console) -> TrainingRun:
    """Show a training run until it has ended and return its last state."""
    told = 0
    with console.status(run_id) as line:

        def show(run: TrainingRun) -> None:
            nonlocal told
            history = run.progress.get("history", [])
            for scores in history[told:]:
                console.print(epoch_line(scores))
            told = len(history)
            line.update("".join(run_lines(run)[1:2]) or f"{run.id} {run.state}")

        return _watch(settings, database, lambda: run_status(database, run_id), show, console)


def _watch_job_by_lines(settings: Settings, database: Database, job_id: str, console: Console) -> Progress:
    said: tuple[int, str] | None = None

    def show(progress: Progress) -> None:
        nonlocal said
        waiting = f"   {_idle(progress)}" if _idle(progress) else ""
        step = (progress.done * 100 // progress.job.total // STEP_PERCENT, waiting)
        if step != said:
            console.print(f"{job_id}  {job_counts(progress)}{waiting}")
        said = step

    return _watch(settings, database, _job_reader(settings, database, job_id), show, console)


def _job_reader(settings: Settings, database: Database, job_id: str) -> Callable[[], Progress]:
    return lambda: job_status(database, job_id, settings.lease_seconds)


def _watch(
    settings: Settings,
    database: Database,
    look: Callable[[], Watched],
    show: Callable[[Watched], None],
    console: Console,
) -> Watched:
    """Look until the end; sweep now and then, so that the work continues where its processes were killed."""
    looks = 0
    watched = None
    try:
        while True:
            if looks % SWEEP_EVERY == 0:
                look_after(settings, database)
            watched = look()
            show(watched)
            if watched.state.ended:
                return watched
            looks += 1
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:  # which does not reach the work
        if watched:
            console.print(f"{_id_of(watched)} is still {watched.state}; {_what_now(watched)}")
        raise


def _id_of(watched: Progress | TrainingRun) -> str:
    return watched.job.id if isinstance(watched, Progress) else watched.id


def _what_now(watched: Progress | TrainingRun) -> str:
    given = _id_of(watched)
    after = hints.resume(given) if watched.state is JobState.PAUSED else hints.follow(given)
    return f"{after}, {hints.cancel(given)}"


def _idle(progress: Progress) -> str:
    """Say why nobody scores it at this moment; nothing where somebody does."""
    if progress.workers or progress.state.ended:
        return ""
    if progress.state is JobState.PAUSED:
        return "paused"
    return "its worker is silent" if progress.stalled_workers else "waiting for a worker"


def _speed(progress: Progress) -> str:
    if not progress.rows_per_second:
        return _idle(progress) or "scoring"
    left = f"about {duration(progress.seconds_left)} left" if progress.seconds_left else ""
    return f"{progress.rows_per_second:,.0f} rows/s   {left}"
