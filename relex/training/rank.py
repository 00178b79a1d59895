"""One of several processes that train one recipe together: `python -m relex.training.rank ORDER`.

`launcher` starts the processes and gives each its rank in the environment. Only the first one reports.
"""

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import Any

from relex.errors import RelexError
from relex.files.reading import read_labeled_examples
from relex.training import distributed
from relex.training.launcher import ERROR, OUTCOME, PROGRESS, Order
from relex.training.recipe.config import TrainingConfig
from relex.training.trainer import train

logger = logging.getLogger(__name__)


def main(order_file: str) -> int:
    """Train as instructed, and return the exit code: 1 if an error was written for `launcher`."""
    for name in (signal.SIGTERM, signal.SIGINT):  # a service manager signals all processes; the worker decides
        signal.signal(name, signal.SIG_IGN)
    Thread(target=_exit_with_parent, name="parent", daemon=True).start()
    order = Order(**json.loads(Path(order_file).read_text("utf-8")))
    reports = Path(order.reports)

    def report(progress: Mapping[str, Any]) -> None:
        if distributed.is_first():
            _write(reports / PROGRESS, dict(progress))

    config = TrainingConfig.from_dict(order.config)
    try:
        paths = (config.data.train, config.data.valid)
        train_examples, valid = (read_labeled_examples(path, config.data.reading) for path in paths)
        with distributed.process_group(order.device, reports / "meeting"):
            arguments = Path(order.folder), report, Path(order.scratch)
            outcome = train(config, train_examples, valid, *arguments, device=order.device)
    except Exception as exc:
        expected = isinstance(exc, RelexError | OSError)
        logger.error("%s", exc, exc_info=not expected)
        with suppress(FileExistsError):  # the others fail because the first one did
            _write(reports / ERROR, [type(exc).__name__, str(exc) if expected else repr(exc)], once=True)
        return 1
    _write(reports / OUTCOME, asdict(outcome))  # all processes write the same
    return 0


def _write(path: Path, content: object, *, once: bool = False) -> None:
    """Write a file atomically, because the reader may open it at any moment.

    Raises:
        FileExistsError: `once` is set and the file exists.
    """
    staging = path.with_name(f"{path.name}.{os.getpid()}")
    staging.write_text(json.dumps(content), "utf-8")
    if once:
        path.hardlink_to(staging)
    else:
        staging.rename(path)


def _exit_with_parent() -> None:
    """Exit when stdin closes: nobody writes to it, and it closes when the parent dies."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    if main(sys.argv[1]):
        os._exit(1)  # a normal exit would wait for the others, which may wait for this one
