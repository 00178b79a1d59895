"""How a worker talks: one JSON object a line, which bears the ids of what is held at that moment.

Whoever collects the lines of many workers asks them for a job or a shard, so no message needs to name one. On a
terminal the same lines are plain text. Only processes that work log; commands speak through `cli`.
"""

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import TextIO

AUTO, JSON, PLAIN = FORMATS = ("auto", "json", "plain")
"""`auto` is plain on a terminal and JSON elsewhere."""

QUIET = ("celery.worker.strategy", "celery.app.trace")
"""They tell of every doorbell, and a doorbell tells nothing: the work is told by relex."""

_held: ContextVar[Mapping[str, object]] = ContextVar("held", default=MappingProxyType({}))


def worker_name() -> str:
    """What this process goes by, in its lines and in the shards that it holds: `host:pid`."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def log_context(**ids: object) -> Iterator[None]:
    """Let every line that is logged inside bear these ids: job, shard (its first row), model, run.

    A thread that is started inside must be given a copy of the context.
    """
    token = _held.set({**_held.get(), **ids})
    try:
        yield
    finally:
        _held.reset(token)


class JsonFormatter(logging.Formatter):
    """A line: time (UTC), level, message, the ids held, worker, logger, and the traceback as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"time": moment, "level": record.levelname, "message": record.getMessage()}
        line |= {**_held.get(), "worker": worker_name(), "logger": record.name}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class PlainFormatter(logging.Formatter):
    """The same for people: the ids stand in brackets."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text; a traceback takes lines of its own."""
        ids = " ".join(f"{name}={value}" for name, value in _held.get().items())
        return f"{super().format(record)} [{ids}]" if ids and not record.exc_info else super().format(record)


def configure_logging(form: str, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send all that this process logs, warns of, or dies of, to stderr in the form of `FORMATS`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    plain = form == PLAIN or (form == AUTO and handler.stream.isatty())
    told = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(PlainFormatter(told) if plain else JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = _process_ends
    threading.excepthook = _thread_ends


def _process_ends(_: type[BaseException], fault: BaseException, __: TracebackType | None) -> None:
    logging.getLogger().critical("this process ends: %r", fault, exc_info=fault)


def _thread_ends(told: threading.ExceptHookArgs) -> None:
    name = told.thread.name if told.thread else "unknown"
    logging.getLogger().error("the thread %s ends: %r", name, told.exc_value, exc_info=told.exc_value)
