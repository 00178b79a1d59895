"""The Celery worker as a process: `python -P -m worker.serve score,train 4`.

Celery's own command puts the current folder first on sys.path and takes its options from `CELERY_`
variables: anyone who may write to a folder could run code in a worker that is started there.
"""

import logging
import os
import socket
import sys
import time

from celery.worker.consumer import Consumer

from worker.tasks import app

PAUSE_SECONDS = 1.0
"""Pause, in seconds, after a connection error: Celery reconnects at once, and would fill the log."""


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery carries no types
    """Celery's consumer, which pauses before it connects again.

    Where Redis answers and refuses (a replica, a full one, no right), the next connection would end in the same way.
    """

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Log it as Celery does, and pause."""
        super().on_connection_error_before_connected(exc)
        time.sleep(PAUSE_SECONDS)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Clean up as Celery does, and pause."""
        super().on_connection_error_after_connected(exc)
        time.sleep(PAUSE_SECONDS)


def main(arguments: list[str]) -> int:
    """Serve the named queues with so many child processes until SIGTERM; return the exit code."""
    queues, concurrency = arguments
    worker = app.Worker(
        hostname=f"relex-{os.getpid()}@{socket.gethostname()}",
        queues=queues.split(","),
        concurrency=int(concurrency),
        loglevel=logging.INFO,
        consumer_cls=PatientConsumer,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
