"""Reading a worker's health file, which `worker.health` writes, for the probe of a container."""

import time
from pathlib import Path

from relex.errors import InvalidConfig, RelexError
from relex.hints import jobs as hints
from relex.settings import Settings

STALE_SWEEPS = 4
"""Number of sweeps without an update after which a health file is stale."""

MIN_SECONDS = 15.0
"""Minimum age, in seconds, of a stale file: a worker may wait ten seconds for Postgres before it gives up."""


def health(settings: Settings) -> str:
    """Return a sentence on a healthy worker, read from its health file; no service is contacted.

    Raises:
        InvalidConfig: no file is named.
        RelexError: the file is missing or stale.
    """
    if settings.health_file is None:
        raise InvalidConfig(
            f"no health file is named, here or in RELEX_HEALTH_FILE; {hints.write_health(settings.home / 'health')}"
        )
    age = _age(settings.health_file)
    if age > max(STALE_SWEEPS * settings.sweep_seconds, MIN_SECONDS):
        raise RelexError(
            f"the worker was last healthy {age:.0f} s ago ({settings.health_file}): its log says whether it "
            "cannot reach Postgres or a batch does not end; start it again"
        )
    return f"the worker was healthy {max(age, 0):.0f} s ago"


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        raise RelexError(f"{path} is not there: no worker writes it, or it has not reached Postgres yet") from None
