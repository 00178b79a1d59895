"""The health file: fresh while a worker is well, so that a container's probe can ask without a network.

The worker's watch writes it, `relex health` reads it (`relex.flows.health`). A worker that cannot reach Postgres, or
whose process holds a shard and does not move, writes nothing: its file grows old, and whoever runs the container starts
it again.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from relex import logs
from relex.db import schema
from relex.db.connection import Database
from relex.errors import RelexError
from relex.flows.files import write_json
from relex.settings import Settings
from worker import vitals

logger = logging.getLogger(__name__)


def tell(settings: Settings) -> None:
    """Write the file if what this worker holds moves; its caller has just heard from Postgres."""
    if settings.health_file is None:
        return
    if vitals.stalled(settings.stall_seconds):
        logger.error("a process of this worker has not moved for %.0f s: unhealthy", settings.stall_seconds)
        return
    try:
        write_json(settings.health_file, {"worker": logs.worker_name(), "sweep_seconds": settings.sweep_seconds})
    except RelexError as fault:
        logger.error("the health file cannot be written: %s", fault)


def forget(settings: Settings) -> None:
    """Remove the file: this worker has ended."""
    if settings.health_file:
        settings.health_file.unlink(missing_ok=True)


@contextmanager
def told(settings: Settings, database: Database) -> Iterator[None]:
    """Tell from a thread, where the process itself is busy with shards."""
    left = Event()
    thread = Thread(target=_keep_telling, args=(settings, database, left), name="health", daemon=True)
    if settings.health_file:
        thread.start()
    try:
        yield
    finally:
        left.set()
        if settings.health_file:
            thread.join()


def _keep_telling(settings: Settings, database: Database, left: Event) -> None:
    while True:
        try:
            schema.found(database)
            tell(settings)
        except RelexError as fault:
            logger.warning("%s", fault)
        if left.wait(settings.sweep_seconds):
            return
