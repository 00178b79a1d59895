"""The model versions that a worker could not load; it skips their jobs for a while."""

import time
from collections.abc import Callable

FIRST_PAUSE = 15.0
MAX_PAUSE = 240.0


class UnloadableModels:
    """The models that one process failed to load, each with a pause that doubles, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[float, float]] = {}
        """Time of the last failure and length of the pause after it, by model."""

    def add(self, model: str) -> float:
        """Record a failure and return for how many seconds the model is skipped."""
        _, last = self._failures.get(model, (0.0, 0.0))
        pause = min(max(2 * last, FIRST_PAUSE), MAX_PAUSE)
        self._failures[model] = self._clock(), pause
        return pause

    def forget(self, model: str) -> None:
        """Forget the failures of a model that was loaded."""
        self._failures.pop(model, None)

    def names(self) -> list[str]:
        """Return the models that are skipped at this moment."""
        now = self._clock()
        return [model for model, (failed_at, pause) in self._failures.items() if now < failed_at + pause]
