"""Following a job or a training run until it finishes: a live bar on a terminal, elsewhere a line a step."""

import sys
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from cli.exit_codes import ExitCode
from cli.folding import print_message
from cli.job_text import format_duration, job_counts, job_reason
from cli.quality_text import quality_lines
from cli.run_text import epoch_line, progress_line, promotion_sentence
from relex.db.connection import Database
from relex.domain.drift import Drift, Level
from relex.domain.jobs import JobState, Progress
from relex.domain.runs import RunState, TrainingRun
from relex.errors import counted, printable
from relex.flows.follow import Followed, follow
from relex.flows.status import job_status, run_status
from relex.flows.sweep import sweep
from relex.hints import jobs as hints
from relex.settings import Settings
from worker.background import revive

STEP_PERCENT = 10


def recover_and_revive(settings: Settings, database: Database) -> None:
    """Recover what stalled workers left, and start background processes where there is no broker and work waits."""
    revive(settings, sweep(database))


def follow_job(settings: Settings, database: Database, job_id: str, console: Console) -> Progress:
    """Show a job until it has ended, and return its last state."""
    if not console.is_terminal:
        return _follow_job_by_lines(settings, database, job_id, console)
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

        return _follow(settings, database, _job_reader(settings, database, job_id), show, console)


def follow_run(settings: Settings, database: Database, run_id: str, console: Console) -> TrainingRun:
    """Show a training run until it has ended, and return its last state."""
    printed = 0
    with console.status(run_id) as line:

        def show(run: TrainingRun) -> None:
            nonlocal printed
            history = run.progress.get("history", [])
            for scores in history[printed:]:
                console.print(epoch_line(scores))
            printed = len(history)
            line.update(progress_line(run) or f"{run.id} {run.state}")

        return _follow(settings, database, lambda: run_status(database, run_id), show, console)


def _follow_job_by_lines(settings: Settings, database: Database, job_id: str, console: Console) -> Progress:
    last: tuple[int, str] | None = None

    def show(progress: Progress) -> None:
        nonlocal last
        waiting = f"   {_idle(progress)}" if _idle(progress) else ""
        step = (progress.done * 100 // progress.job.total // STEP_PERCENT, waiting)
        if step != last:
            console.print(f"{job_id}  {job_counts(progress)}{waiting}")
        last = step

    return _follow(settings, database, _job_reader(settings, database, job_id), show, console)


def _job_reader(settings: Settings, database: Database, job_id: str) -> Callable[[], Progress]:
    return lambda: job_status(database, job_id, settings.lease_seconds)


def _follow(
    settings: Settings,
    database: Database,
    read: Callable[[], Followed],
    show: Callable[[Followed], None],
    console: Console,
) -> Followed:
    current = read()
    try:
        for current in follow(read, lambda: recover_and_revive(settings, database)):
            show(current)
    except KeyboardInterrupt:  # which does not stop the work
        console.print(f"{_id_of(current)} is still {current.state}; {_what_now(current)}")
        raise
    return current


def _id_of(followed: Progress | TrainingRun) -> str:
    return followed.job.id if isinstance(followed, Progress) else followed.id


def _what_now(followed: Progress | TrainingRun) -> str:
    job_ref = _id_of(followed)
    first = hints.resume(job_ref) if followed.state is JobState.PAUSED else hints.follow(job_ref)
    return f"{first}, {hints.cancel(job_ref)}"


def _idle(progress: Progress) -> str:
    """Say why no worker is scoring the job; empty if one is."""
    if progress.workers or progress.state.ended:
        return ""
    if progress.state is JobState.PAUSED:
        return "paused"
    return "its worker has stalled" if progress.stalled_workers else "waiting for a worker"


def _speed(progress: Progress) -> str:
    if not progress.rows_per_second:
        return _idle(progress) or "scoring"
    left = f"about {format_duration(progress.seconds_left)} left" if progress.seconds_left else ""
    return f"{progress.rows_per_second:,.0f} rows/s   {left}"


def exit_with(ended: Progress | TrainingRun, console: Console, *, shown: bool = False) -> None:
    """Print how a job or a run ended and exit accordingly; `--quiet` does not hide why it did not succeed.

    Args:
        ended: what was followed.
        console: where to print everything but errors.
        shown: whether the job's state and its reason were printed before.

    Raises:
        SystemExit: with 1 where it failed or was cancelled, 6 where rows of a job failed; not where all is well.
    """
    if isinstance(ended, Progress):
        if not shown:
            print_end(ended, console)
        if ended.state is not JobState.DONE:
            sys.exit(ExitCode.FAILED)
        if ended.failed:
            sys.exit(ExitCode.ATTENTION)
    elif ended.state is RunState.DONE:
        console.print(f"registered as {ended.model}; {promotion_sentence(ended) or hints.current_model()}")
    else:
        reason = ended.error if ended.state is RunState.FAILED else f"{ended.id} was cancelled"
        print_message(f"error: {reason}")
        sys.exit(ExitCode.FAILED)


def exit_if_drifted(drift: Drift | None, limit: Level | None) -> None:
    """Exit with 6 where rows have drifted as far as `--fail-on-drift` says.

    Raises:
        SystemExit: they have.
    """
    if drift and limit and drift.level.reaches(limit):
        print_message(f"error: the rows have drifted: {drift.level}, and --fail-on-drift is {limit}")
        sys.exit(ExitCode.ATTENTION)


def print_lines(lines: Iterable[Text], console: Console) -> None:
    """Print lines whose colors matter and whose length does not."""
    for line in lines:
        console.print(line, soft_wrap=True)


def print_end(progress: Progress, console: Console) -> None:
    """Print how a job ended, and why it did not succeed."""
    job = progress.job
    rows = f"{progress.done:,} of {counted(job.total, 'row')}"
    console.print(f"{job.id} {progress.state}: {rows} in {format_duration(progress.seconds)}")
    print_lines(quality_lines(job), console)
    if progress.state is not JobState.DONE:
        reason = printable(job_reason(progress) or str(progress.state))
        left = f"; {progress.retry_hint}" if progress.unscored else ""
        print_message(f"error: {job.id}: {reason}{left}")
    elif progress.failed:
        failed = f"{progress.failed:,} of {counted(job.total, 'row')} could not be scored"
        print_message(f"error: {job.id}: {failed}; {hints.export_row_errors(job.id)}")
