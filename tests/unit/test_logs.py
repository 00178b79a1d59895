"""What a worker's lines hold."""

import io
import json
import logging
import subprocess
import sys
import threading
from contextvars import copy_context

import pytest

from relex import logs
from tests.processes import ROOT, environment

logger = logging.getLogger("relex.test")


@pytest.fixture(params=[logs.JSON, logs.PLAIN])
def said(request):
    """A set-up log in one of the forms, and what was written to it."""
    root = logging.getLogger()
    before = root.level, root.handlers[:], sys.excepthook, threading.excepthook
    stream = io.StringIO()
    logs.configure_logging(request.param, stream=stream)
    yield request.param, stream
    root.setLevel(before[0])
    root.handlers[:], sys.excepthook, threading.excepthook = before[1:]
    logging.captureWarnings(capture=False)


def test_a_line_bears_the_ids_that_are_held_and_no_others(said):
    form, stream = said
    with logs.log_context(job="j-1", shard=512):
        with logs.log_context(model="scratch@1"):
            logger.info("하나 %d", 1)
        logger.warning("two\nlines")
    logger.info("three")
    if form == logs.PLAIN:
        assert "하나 1 [job=j-1 shard=512 model=scratch@1]" in stream.getvalue()
        assert stream.getvalue().endswith("three\n")
        return
    first, second, third = map(json.loads, stream.getvalue().splitlines())
    assert list(first) == ["time", "level", "message", "job", "shard", "model", "worker", "logger"]
    assert (first["level"], first["message"], first["shard"]) == ("INFO", "하나 1", 512)
    assert (first["worker"], first["logger"]) == (logs.worker_name(), "relex.test")
    assert first["time"].endswith("+00:00")
    assert (second["job"], second.get("model"), second["message"]) == ("j-1", None, "two\nlines")
    assert {"job", "shard", "model"}.isdisjoint(third)


def test_a_traceback_is_part_of_its_line(said):
    form, stream = said
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("it failed")
    if form == logs.JSON:
        (line,) = map(json.loads, stream.getvalue().splitlines())
        assert (line["message"], line["error"].splitlines()[-1]) == ("it failed", "ValueError: broken")
    assert "Traceback" in stream.getvalue()


def test_a_thread_with_a_copy_of_the_context_bears_the_ids(said):
    _, stream = said
    with logs.log_context(job="j-1"):
        thread = threading.Thread(target=copy_context().run, args=(logger.info, "from a thread"))
        thread.start()
        thread.join()
    assert "j-1" in stream.getvalue()


def test_warnings_and_what_ends_the_process_are_lines_too():
    script = "import warnings; from relex import logs; logs.configure_logging('auto'); warnings.warn('odd', stacklevel=1); 1 / 0"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    warning, end = map(json.loads, done.stderr.splitlines())
    assert (done.returncode, warning["level"], end["level"]) == (1, "WARNING", "CRITICAL")
    assert "odd" in warning["message"]
    assert "ZeroDivisionError" in end["error"]
