"""The health file: fresh while a worker is healthy, so that a container's probe can check it without a network.

A thread of every worker writes it, `relex health` reads it (`relex.flows.health`). A worker that cannot reach Postgres,
or whose process holds a shard and makes no progress, writes nothing: its file grows old, and the orchestrator
starts it again.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from relex import logs
from relex.db import schema
from relex.db.connection import Database
from relex.errors import RelexError, UnexpectedError
from relex.files.atomic import write_json
from relex.settings import Settings
from worker import shared

logger = logging.getLogger(__name__)


@contextmanager
def heartbeat(settings: Settings, database: Database) -> Iterator[None]:
    """Write the health file at every sweep's interval, from a thread: the process itself is busy with its work."""
    stopped = Event()
    thread = Thread(target=_keep_writing, args=(settings, database, stopped), name="heartbeat", daemon=True)
    if settings.health_file:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        if settings.health_file:
            thread.join()


def write(settings: Settings) -> None:
    """Write the health file if what this worker holds makes progress; its caller has just heard from Postgres."""
    if settings.health_file is None:
        return
    if shared.stalled(settings.stall_seconds):
        logger.error("a process of this worker made no progress for %.0f s: unhealthy", settings.stall_seconds)
        return
    try:
        write_json(settings.health_file, {"worker": logs.worker_name(), "sweep_seconds": settings.sweep_seconds})
    except RelexError as error:
        logger.error("the health file cannot be written: %s", error)


def remove(settings: Settings) -> None:
    """Remove the health file: this worker has ended."""
    if settings.health_file:
        settings.health_file.unlink(missing_ok=True)


def _keep_writing(settings: Settings, database: Database, stopped: Event) -> None:
    while True:
        try:
            schema.current_revision(database)
            write(settings)
        except RelexError as error:
            logger.warning("%s", error)
        except UnexpectedError:  # the thread must outlive it, as the loop does
            logger.exception("the health file is not written")
        if stopped.wait(settings.sweep_seconds):
            return
