"""The Celery worker as a process: `python -P -m worker.serve score,train 4`.

Celery's own command puts the current folder first on the path of modules and takes its options from `CELERY_`
variables: whoever may write to a folder could run code in a worker that is started there.
"""

import logging
import os
import socket
import sys
import time

from celery.worker.consumer import Consumer
from redis import ResponseError

from worker.tasks import app

REFUSED_SECONDS = 1.0
"""Until the next try after Redis refused a command: Celery connects again at once, and would fill the log."""


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery carries no types
    """Celery's consumer, which waits a moment where Redis answers and refuses: a replica, a full one, no right."""

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Clean up as Celery does, and pause where the next connection would end in the same way at once."""
        super().on_connection_error_after_connected(exc)
        if isinstance(exc, ResponseError):
            time.sleep(REFUSED_SECONDS)


def main(arguments: list[str]) -> int:
    """Serve the named queues with so many child processes until told to end; return the exit code."""
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
