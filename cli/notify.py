"""Workers: hear of new work, or start in this process; where Redis does not answer, they find the work by themselves.

`worker.dispatch` imports Celery, so it is loaded when it is first used: completing an option must not wait for it.
"""

import sys
from collections.abc import Sequence
from importlib.util import LazyLoader, find_spec, module_from_spec
from typing import TYPE_CHECKING

from rich.console import Console

from relex.errors import ServiceUnreachable
from relex.settings import Settings

if TYPE_CHECKING:
    from worker import dispatch
else:
    dispatch = sys.modules.get("worker.dispatch")
    if dispatch is None:
        spec = find_spec("worker.dispatch")
        loader = LazyLoader(spec.loader)
        spec.loader = loader
        dispatch = sys.modules["worker.dispatch"] = module_from_spec(spec)
        loader.exec_module(dispatch)


def notify_scorers(settings: Settings, shards: int, console: Console) -> None:
    """Notify workers of so many waiting shards."""
    try:
        dispatch.wake_scorers(settings, shards)
    except ServiceUnreachable as error:
        console.print(f"warning: {error}")


def notify_trainers(settings: Settings, console: Console) -> None:
    """Notify workers of a waiting training run."""
    try:
        dispatch.wake_trainers(settings)
    except ServiceUnreachable as error:
        console.print(f"warning: {error}")


def run_worker(settings: Settings, queues: Sequence[str], concurrency: int | None) -> None:
    """Become a worker in the foreground; does not return."""
    dispatch.run_worker(settings, queues, concurrency)
