"""The Celery worker as a process: `python -P -m worker.serve score,train 4`.

Celery's own command puts the current folder first on the path of modules and takes its options from `CELERY_`
variables: whoever may write to a folder could run code in a worker that is started there.
"""

import logging
import os
import socket
import sys

from worker.tasks import app


def main(arguments: list[str]) -> int:
    """Serve the named queues with so many child processes until told to end; return the exit code."""
    queues, concurrency = arguments
    worker = app.Worker(
        hostname=f"relex-{os.getpid()}@{socket.gethostname()}",
        queues=queues.split(","),
        concurrency=int(concurrency),
        loglevel=logging.INFO,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
