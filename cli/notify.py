"""Notifying workers of queued work; where Redis does not answer, that is a warning: workers also look by themselves."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from cli.lazy import lazy_module
from relex.errors import ServiceUnreachable
from relex.settings import Settings

if TYPE_CHECKING:
    from worker import dispatch
else:
    dispatch = lazy_module("worker.dispatch")  # it imports Celery


def notify_scorers(settings: Settings, shards: int, console: Console) -> None:
    """Notify workers of so many waiting shards."""
    try:
        dispatch.notify_scorers(settings, shards)
    except ServiceUnreachable as error:
        console.print(f"warning: {error}")


def notify_trainers(settings: Settings, console: Console) -> None:
    """Notify workers of a waiting training run."""
    try:
        dispatch.notify_trainers(settings)
    except ServiceUnreachable as error:
        console.print(f"warning: {error}")


def run_worker(settings: Settings, queues: Sequence[str], concurrency: int | None) -> None:
    """Become a worker in the foreground; does not return."""
    dispatch.run_worker(settings, queues, concurrency)
