"""`relex worker`: become a worker."""

from dataclasses import replace
from pathlib import Path

import click

from relex.hints import jobs as hints
from relex.settings import Settings
from worker.dispatch import run_worker

QUEUES = ("score", "train")


@click.command("worker", short_help="Score and train in the foreground.")
@click.option("--queues", default=",".join(QUEUES), show_default=True, help="What to work on: score, train or both.")
@click.option(
    "--concurrency", type=click.IntRange(1), help="Scoring processes, which share the cores.  [default: 2 to 4]"
)
@click.option(
    "--health-file",
    type=click.Path(path_type=Path, resolve_path=True),
    help="Written while all is well: `relex health`.",
)
def worker_command(queues: str, concurrency: int | None, health_file: Path | None) -> None:
    """Work until stopped by SIGTERM: take shards, score them, execute training runs.

    SIGTERM lets it give back what it holds, between two batches, and end. Its log on stderr is plain text on a
    terminal and JSON elsewhere (RELEX_LOG_FORMAT).

    With RELEX_BROKER_URL this is a Celery worker; without one it works on this machine's queue alone.

    Example: relex worker --queues score
    """
    wanted = [queue.strip() for queue in queues.split(",")]
    unknown = [queue for queue in wanted if queue not in QUEUES]
    if unknown:
        raise click.UsageError(f"--queues {unknown[0]}: there are only {' and '.join(QUEUES)}, {hints.queues()}")
    settings = Settings.from_env()
    run_worker(replace(settings, health_file=health_file or settings.health_file), wanted, concurrency)
