"""After a command queued shards: see to it that somebody scores them, or say that this must wait."""

from rich.console import Console

from relex.errors import ServiceUnreachable
from relex.settings import Settings
from worker.dispatch import notify_scorers


def wake(settings: Settings, shards: int, console: Console) -> None:
    """Ring for so many shards; a Redis that does not answer is a warning, for workers also look by themselves."""
    try:
        notify_scorers(settings, shards)
    except ServiceUnreachable as fault:
        console.print(f"warning: {fault}")
