"""The `relex` command line, run in this process through its real `main`, so that many commands stay fast.

A start of Python that imports what a command needs costs about a second. Tests of what a process itself does (its
signals, what it imports, how it dies) start one: see `tests.processes`.
"""

import contextlib
import io
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from cli.main import main


def run_command(
    *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None, encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """Run a relex command to its end and return its exit code and what it printed, as a process would.

    `env` is the whole environment (default: this process's) and `cwd` the current folder. Whatever `main` raises
    besides its exit is a traceback that a person would see; it fails the test. `encoding` is the terminal's; click
    writes UTF-8 where that claims to be ASCII, because most terminals that do so show it.
    """
    words = ["relex", *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_restored_signals())
        # A background process that a command starts outlives the command, and so it should.
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", ResourceWarning)
        stack.enter_context(mock.patch.object(sys, "argv", words))
        # A command may change its environment, as `relex.environment.isolate` does.
        stack.enter_context(mock.patch.dict(os.environ, env or {}, clear=env is not None))
        stack.enter_context(contextlib.chdir(cwd) if cwd else contextlib.nullcontext())
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        code = _exit_code()
    return subprocess.CompletedProcess(words, code, *(_text(stream) for stream in (out, err)))


def _exit_code() -> int:
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("main() ends by exiting")


@contextlib.contextmanager
def _restored_signals():
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _text(stream: io.TextIOWrapper) -> str:
    return stream.buffer.getvalue().decode("utf-8" if stream.encoding == "ascii" else stream.encoding)
