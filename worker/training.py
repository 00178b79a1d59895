"""The training processes of a Celery worker: each executes one run at a time, and its memory is free when it ends.

They are processes of the worker's parent, beside the pool of children that score: training never takes a child away
from scoring.
"""

import logging
import sys
from subprocess import Popen

from relex.settings import Settings
from worker import background
from worker.queues import TRAIN

logger = logging.getLogger(__name__)


class TrainingProcesses:
    """As many as RELEX_TRAINING_PROCESSES says."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: list[Popen[bytes]] = []

    def start(self, waiting: int) -> None:
        """Start a process for each of the waiting runs, as far as there is room."""
        self._running = [process for process in self._running if process.poll() is None]
        room = self._settings.training_processes - len(self._running)
        for _ in range(min(room, waiting)):
            command = [sys.executable, "-P", "-m", "worker.local", TRAIN, "0", background.WITH_PARENT]
            self._running.append(Popen(command, env=background.environment(self._settings)))

    def stop(self) -> None:
        """Let every process give back its run, and wait for its end."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait()
