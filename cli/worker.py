"""`relex worker` and `relex health`: a worker of this machine, and the probe that checks it."""

from dataclasses import replace
from pathlib import Path

import click

from cli.notify import run_worker
from relex.flows.health import health
from relex.hints import jobs as hints
from relex.settings import Settings

QUEUES = ("score", "train")


@click.command("worker")
@click.option("--queues", metavar="NAME,...", default=",".join(QUEUES), show_default=True, help="Queues to work on.")
@click.option(
    "--concurrency",
    metavar="N",
    type=click.IntRange(1),
    help="Number of scoring processes, which share the cores.  [default: 2 to 4]",
)
@click.option(
    "--health-file",
    metavar="FILE",
    type=click.Path(path_type=Path, resolve_path=True),
    help="File that `relex health` reads; written while the worker is alive.",
)
def worker_command(queues: str, concurrency: int | None, health_file: Path | None) -> None:
    """Run a worker in the foreground: it scores shards and executes training runs.

    SIGTERM stops it: between two batches it returns what it holds to the queue. Its log on stderr is plain text on a
    terminal and JSON elsewhere (RELEX_LOG_FORMAT).

    With RELEX_BROKER_URL this is a Celery worker; without one it serves only this machine's queue.

    Example: relex worker --queues score
    """
    names = [queue.strip() for queue in queues.split(",")]
    unknown = [queue for queue in names if queue not in QUEUES]
    if unknown:
        raise click.UsageError(f"--queues {unknown[0]}: the queues are {' and '.join(QUEUES)}, {hints.queues()}")
    settings = Settings.from_env()
    run_worker(replace(settings, health_file=health_file or settings.health_file), names, concurrency)


@click.command("health")
@click.option(
    "--file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Health file of the worker.  [default: RELEX_HEALTH_FILE]",
)
def health_command(file: Path | None) -> None:
    """Exit with 0 if the health file of a worker is fresh, otherwise with 1; contacts no service.

    A worker writes it (`relex worker --health-file FILE`) while it reaches Postgres and its work makes progress.

    Example: relex health --file /tmp/relex-health
    """
    settings = Settings.from_env()
    click.echo(health(replace(settings, health_file=file) if file else settings))
