"""The two tasks that doorbells start. Bodies are short: the work is in the flows.

`relex worker` begins here (`worker.serve`).
"""

import subprocess
import sys
from functools import cache

from billiard import current_process

from relex.db import schema
from relex.db.connection import WORKER, Database
from relex.flows.score import Worker
from relex.settings import Settings
from worker.app import configured
from worker.dispatch import wake_scorers
from worker.queues import TRAIN
from worker.scorers import score_some, this_worker
from worker.vitals import stopping
from worker.watch import database_url

settings = Settings.from_env()
app = configured(settings)

SHARDS_A_DOORBELL = 16
"""After so many the next doorbell in the queue has its turn, and this one goes to its end."""


@app.task(name="relex.score")
def score() -> None:
    """Score shards until none waits; where more may wait, ring for them."""
    if score_some(*_this_process(), SHARDS_A_DOORBELL) == SHARDS_A_DOORBELL:
        wake_scorers(settings, 1)


@app.task(name="relex.train")
def train() -> None:
    """Execute waiting training runs in a process of their own, whose memory is free when it ends."""
    with subprocess.Popen([sys.executable, "-P", "-m", "worker.local", TRAIN, "0"]) as process:
        while process.poll() is None:
            try:
                process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                if stopping():
                    process.terminate()


@cache
def _this_process() -> tuple[Database, Worker]:
    """Made on the first doorbell, after the fork: a database connection must not be shared with the parent."""
    database = Database(database_url(settings), WORKER)
    schema.require_newest(database)
    return database, this_worker(database, settings, stopping, getattr(current_process(), "index", 0))
