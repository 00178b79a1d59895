"""One of several processes that train one recipe together: `python -m relex.training.rank ORDER`.

Started by `launching`, which tells by the environment which one this is. Only the first one says anything.
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
from relex.files.reading import read_labelled_examples
from relex.training import distributed
from relex.training.launcher import FAULT, OUTCOME, PROGRESS, Order
from relex.training.recipe.config import TrainingConfig
from relex.training.trainer import train

logger = logging.getLogger(__name__)


def main(order_file: str) -> int:
    """Train as ordered; 1 where that failed for a reason that `launching` can tell."""
    for name in (signal.SIGTERM, signal.SIGINT):  # a service manager tells all processes to end: the worker decides
        signal.signal(name, signal.SIG_IGN)
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    order = Order(**json.loads(Path(order_file).read_text("utf-8")))
    answers = Path(order.answers)

    def report(progress: Mapping[str, Any]) -> None:
        if distributed.is_first():
            _write(answers / PROGRESS, dict(progress))

    config = TrainingConfig.from_dict(order.config)
    try:
        paths = (config.data.train, config.data.valid)
        learned, valid = (read_labelled_examples(path, config.data.encoding) for path in paths)
        with distributed.joined(order.device, answers / "meeting"):
            place = Path(order.folder), report, Path(order.scratch)
            outcome = train(config, learned, valid, *place, device=order.device)
    except Exception as fault:
        understood = isinstance(fault, RelexError | OSError)
        logger.error("%s", fault, exc_info=not understood)
        with suppress(FileExistsError):  # the others fail because the first one did
            _write(answers / FAULT, [type(fault).__name__, str(fault) if understood else repr(fault)], once=True)
        return 1
    _write(answers / OUTCOME, asdict(outcome))  # all come to the same
    return 0


def _write(path: Path, content: object, *, once: bool = False) -> None:
    """Whole or not at all: the reader does not wait.

    Raises:
        FileExistsError: it can be written once, and was.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content), "utf-8")
    if once:
        path.hardlink_to(draft)
    else:
        draft.rename(path)


def _end_with_parent() -> None:
    """Nobody writes to stdin: it closes when the parent has died, however it died."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    if main(sys.argv[1]):
        os._exit(1)  # in order it would wait for the others, who may wait for this one
