"""Logs of workers: one JSON object per line, with the ids of the current job, shard or run.

A log collector filters the lines of many workers by these ids, so no message needs to name them. On a terminal the same
lines are plain text. Only workers log; commands print through `cli`.
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
"""Loggers of Celery that log every doorbell; relex logs the work itself."""

_log_ids: ContextVar[Mapping[str, object]] = ContextVar("log_ids", default=MappingProxyType({}))


def worker_name() -> str:
    """Return the name of this process in its log lines and in the shards that it holds: `host:pid`."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def log_context(**ids: object) -> Iterator[None]:
    """Add ids to every line that is logged inside the block: job, shard (its first row), model, run.

    A thread that is started inside the block needs a copy of the context.
    """
    token = _log_ids.set({**_log_ids.get(), **ids})
    try:
        yield
    finally:
        _log_ids.reset(token)


class JsonFormatter(logging.Formatter):
    """A formatter for JSON lines: time (UTC), level, message, ids, worker, logger, and the traceback as `error`."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line of JSON."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"time": time, "level": record.levelname, "message": record.getMessage()}
        line |= {**_log_ids.get(), "worker": worker_name(), "logger": record.name}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class PlainFormatter(logging.Formatter):
    """A formatter for people: plain text with the ids in brackets."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as text; a traceback has lines of its own."""
        ids = " ".join(f"{name}={value}" for name, value in _log_ids.get().items())
        return f"{super().format(record)} [{ids}]" if ids and not record.exc_info else super().format(record)


def configure_logging(log_format: str, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send logs, warnings and uncaught exceptions to stderr; `log_format` is one of `FORMATS`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    plain = log_format == PLAIN or (log_format == AUTO and handler.stream.isatty())
    template = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(PlainFormatter(template) if plain else JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = _log_process_error
    threading.excepthook = _log_thread_error


def _log_process_error(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    logging.getLogger().critical("this process ends: %r", error, exc_info=error)


def _log_thread_error(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "unknown"
    logging.getLogger().error("the thread %s ends: %r", name, args.exc_value, exc_info=args.exc_value)
