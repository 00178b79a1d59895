"""What the health file of a worker says: its watch writes it (`worker.health`), a container's probe asks for it."""

import time
from pathlib import Path

from relex.errors import InvalidConfig, RelexError
from relex.hints import jobs as hints
from relex.settings import Settings

STALE_SWEEPS = 4
"""A file is stale after so many sweeps without a word; one that waits for a connection is not."""

MIN_SECONDS = 15.0
"""... and never before: Postgres may be asked for ten seconds before it counts as silent."""


def health(settings: Settings) -> str:
    """What the health file says of a worker that is well; no service is asked.

    Raises:
        InvalidConfig: no file is named.
        RelexError: there is none, or it is stale.
    """
    if settings.health_file is None:
        raise InvalidConfig(
            f"no health file is named, here or in RELEX_HEALTH_FILE; {hints.write_health(settings.home / 'health')}"
        )
    age = _age(settings.health_file)
    if age > max(STALE_SWEEPS * settings.sweep_seconds, MIN_SECONDS):
        raise RelexError(
            f"the worker was last well {age:.0f} s ago ({settings.health_file}): its log says whether it cannot reach "
            "Postgres or a batch does not end; start it again"
        )
    return f"the worker was well {max(age, 0):.0f} s ago"


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        raise RelexError(f"{path} is not there: no worker writes it, or it has not reached Postgres yet") from None
