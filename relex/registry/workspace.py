"""The folders of open training runs: a state to resume from, a checkpoint before it is registered.

They outlive their process, so that the next one resumes. A run may end without any (cancelled while nobody had it,
given up by the sweep): what it left is removed by the next training process, for which the names begin with its id.
"""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from relex.db import runs
from relex.db.connection import Database
from relex.domain.runs import RunId
from relex.embedded import locks
from relex.settings import Settings, make_home

STAGING = re.compile(r"-[0-9a-f]{32}(\.|$)")
"""End of a staging folder's name; earlier releases added a second number."""
STAGING_SECONDS = 86_400.0
"""Minimum age, in seconds, of a staging folder that is removed; for file systems without locks."""
LOCK = "lock"
"""File in a staging folder that its process holds locked."""


def checkpoint_dir(settings: Settings, run_id: RunId) -> Path:
    """Return the folder where the trainer writes the checkpoint.

    Until the checkpoint is complete, it is in a folder beside it whose name begins with `.ID.`.
    """
    return _folder(settings) / run_id


def scratch_dir(settings: Settings, run_id: RunId) -> Path:
    """Return the folder of a run's resumable state; it stays if the run is released or its process killed."""
    make_home(settings.home)
    return _folder(settings) / f"{run_id}.scratch"


@contextmanager
def staging_folder(settings: Settings, name: str) -> Iterator[Path]:
    """Yield a path for a checkpoint that is not registered yet, on the disk of those that are.

    What was not moved away is removed at the end. Until then the staging folder is locked: no clean-up removes it,
    whichever database it works for.
    """
    make_home(settings.home)
    workspace = _folder(settings) / f"{name}-{uuid4().hex}"
    workspace.mkdir(parents=True)
    try:
        with locks.shared(workspace / LOCK):
            yield workspace / "checkpoint"
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def remove_stale_workspaces(database: Database, settings: Settings) -> None:
    """Remove the folders of runs that have ended, and staging folders of killed commands.

    Those of ids that this database does not know stay: another database's runs may share the home folder. Other
    processes clean up too, so a folder may be gone at any moment.
    """
    paths = list(_folder(settings).glob("*"))
    by_id = [(path.name.strip(".").partition(".")[0], path) for path in paths]
    with database.transaction() as tx:
        ended = runs.find_ended(tx, {run_id for run_id, _ in by_id})
    for run_id, path in by_id:
        if run_id in ended or _is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(path: Path) -> bool:
    """Return whether this is a staging folder that no process uses; False if it is gone meanwhile."""
    if not STAGING.search(path.name):
        return False
    try:
        return time.time() - path.stat().st_mtime > STAGING_SECONDS and locks.is_free(path / LOCK)
    except OSError:
        return False


def _folder(settings: Settings) -> Path:
    return settings.home / "models" / ".unfinished"
