"""The folders of training runs that have not ended: a state to go on from, a checkpoint before it is registered.

They outlive their process, so that the next one goes on. A run may end without any (cancelled while nobody had it,
given up by the sweep): what it left is removed by the next training process, for which the names begin with its id.
"""

import re
import shutil
import time
from pathlib import Path
from uuid import uuid4

from relex.db import runs
from relex.db.connection import Database
from relex.runs import RunId
from relex.settings import Settings, make_home

DRAFT = re.compile("-[0-9a-f]{32}$")
DRAFT_SECONDS = 86_400.0
"""To copy or link a checkpoint takes minutes."""


def checkpoint_of(settings: Settings, run_id: RunId) -> Path:
    """Where the trainer writes the checkpoint; until it is complete it stands beside, as `.ID.` and something."""
    return _folder(settings) / run_id


def scratch_of(settings: Settings, run_id: RunId) -> Path:
    """The resumable state of a run; it stays when the run is released or its process killed."""
    make_home(settings.home)
    return _folder(settings) / f"{run_id}.scratch"


def new_draft(settings: Settings, name: str) -> Path:
    """Where a folder may be put together before it is registered: on the disk of those that are."""
    make_home(settings.home)
    drafts = _folder(settings)
    drafts.mkdir(parents=True, exist_ok=True)
    return drafts / f"{name}-{uuid4().hex}"


def remove_leftovers(database: Database, settings: Settings) -> None:
    """Remove the folders of runs that have ended, and drafts of a killed command that nobody can be at work on.

    Those of ids that this database does not know stay: another database's runs may share the home folder.
    """
    for path in _folder(settings).glob("*"):
        if DRAFT.search(path.name) and time.time() - path.stat().st_mtime > DRAFT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
    by_id = [(path.name.strip(".").partition(".")[0], path) for path in _folder(settings).glob("*")]
    with database.transaction() as tx:
        ended = runs.ended(tx, {run_id for run_id, _ in by_id})
    for run_id, path in by_id:
        if run_id in ended:
            shutil.rmtree(path, ignore_errors=True)


def _folder(settings: Settings) -> Path:
    return settings.home / "models" / ".unfinished"
