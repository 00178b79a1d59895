"""Notifying workers of queued work; where Redis does not answer, that is a warning: workers also look by themselves."""

from collections.abc import Sequence

from rich.console import Console

from relex.errors import ServiceUnreachable
from relex.settings import Settings


def notify_scorers(settings: Settings, shards: int, console: Console) -> None:
    """Notify workers of so many waiting shards."""
    from worker import dispatch  # noqa: PLC0415 - it imports Celery

    try:
        dispatch.notify_scorers(settings, shards)
    except ServiceUnreachable as error:
        console.print(f"warning: {error}")


def notify_trainers(settings: Settings, console: Console) -> None:
    """Notify workers of a waiting training run."""
    from worker import dispatch  # noqa: PLC0415 - it imports Celery

    try:
        dispatch.notify_trainers(settings)
    except ServiceUnreachable as error:
        console.print(f"warning: {error}")


def run_worker(settings: Settings, queues: Sequence[str], concurrency: int | None) -> None:
    """Become a worker in the foreground; does not return."""
    from worker import dispatch  # noqa: PLC0415 - it imports Celery

    dispatch.run_worker(settings, queues, concurrency)
