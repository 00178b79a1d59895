"""The two Celery tasks that doorbells start; the work itself is in the flows.

`relex worker` begins here (`worker.serve`).
"""

import logging
from functools import cache

from billiard import current_process

from relex.db.connection import WORKER, Database
from relex.errors import Transient
from relex.flows.database import require_latest_revision
from relex.flows.score import Worker
from relex.settings import Settings
from worker import shared
from worker.app import configured
from worker.scorers import score_waiting, scoring_worker
from worker.watch import database_url

logger = logging.getLogger(__name__)

settings = Settings.from_env()
app = configured(settings)


@app.task(name="relex.score")
def score() -> None:
    """Score shards until none waits."""
    try:
        score_waiting(*_this_process())
    except Transient as error:
        logger.warning("%s", error)


@app.task(name="relex.train")
def train() -> None:
    """Make the loop of this worker look for the queued run at once."""
    shared.request_look()


@cache
def _this_process() -> tuple[Database, Worker]:
    """Return this process's database and worker, made after the fork: no connection is shared with the parent."""
    database = Database(database_url(settings), WORKER)
    require_latest_revision(database)
    return database, scoring_worker(database, settings, getattr(current_process(), "index", 0))
