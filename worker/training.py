"""The training processes of a Celery worker: each executes one run at a time, and its memory is free when it ends.

They are processes of the worker's parent, beside the pool of children that score: training never takes a child away
from scoring.
"""

import logging
import os
import sys
from subprocess import Popen, TimeoutExpired
from time import monotonic

from relex.settings import Settings
from worker import background
from worker.background import TRAIN

logger = logging.getLogger(__name__)

STOP_SECONDS = 45.0
"""Time for a training to reach its next step, where it releases its run; service managers allow a minute."""


class TrainingProcesses:
    """The running training processes, RELEX_TRAINING_PROCESSES at most."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: list[Popen[bytes]] = []

    def start(self, waiting: int) -> None:
        """Start a process for each waiting run, up to the limit."""
        self._running = [process for process in self._running if process.poll() is None]
        room = self._settings.training_processes - len(self._running)
        for _ in range(min(room, waiting)):
            command = [sys.executable, "-P", "-m", "worker.local", TRAIN, "0", f"{background.WITH_PARENT}{os.getpid()}"]
            self._running.append(Popen(command, env=background.environment(self._settings)))

    def stop(self) -> None:
        """Ask every process to release its run, and kill those that do not exit in time."""
        for process in self._running:
            process.terminate()
        deadline = monotonic() + STOP_SECONDS
        for process in self._running:
            try:
                process.wait(timeout=max(deadline - monotonic(), 0))
            except TimeoutExpired:
                logger.error("the training process %d does not stop: killed; its run will be resumed", process.pid)
                process.kill()
                process.wait()
