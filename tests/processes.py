"""Real relex processes for tests: started with the test's own services, ended with the test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from relex.environment import isolate

ROOT = Path(__file__).parent.parent


def source_files(*more: str) -> list[Path]:
    """List the Python files of the installed packages and of more folders of the repository."""
    return sorted(
        path for room in ("cli", "worker", "relex", "migrations", *more) for path in (ROOT / room).rglob("*.py")
    )


def environment(**settings: object) -> dict[str, str]:
    """This environment without its own RELEX_ settings, with these; tests find `tests.factories` through the root."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RELEX_")}
    isolate(kept)  # libraries that this process has imported set variables that are meant for nobody else
    return kept | {"PYTHONPATH": str(ROOT)} | {f"RELEX_{key.upper()}": str(value) for key, value in settings.items()}


def relex(*arguments: str | Path, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a relex command to its end."""
    command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@contextmanager
def started(*arguments: str, env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A relex command that runs beside the test in a process group of its own, and is gone afterwards."""
    command = [sys.executable, "-m", "cli.main", *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_hear_ctrl_c,  # noqa: PLW1509 - it takes no lock that a thread could hold
        )
    try:
        yield process
    finally:
        kill(process)


def _hear_ctrl_c() -> None:
    """A shell's background job ignores Ctrl-C, and so does all that it starts: these tests may be such a job."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of a process and of all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(true: Callable[[], bool], seconds: float = 180) -> None:
    """Wait for something that must become true; by default long enough for processes on a machine that is busy."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.05)
