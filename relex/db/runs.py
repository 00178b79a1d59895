"""Training runs as rows: the same claim, lease and fencing token as for shards, one run at a time."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, insert, select, text, update

from relex.db.connection import Transaction
from relex.db.ids import find_id, new_id
from relex.db.tables import runs
from relex.errors import LeaseLost, RunNotFound
from relex.runs import RunId, RunState, TrainingRun

CLAIM = text("""
    WITH picked AS (
        SELECT id FROM runs WHERE state = 'queued' ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE runs
    SET state = 'running', token = nextval('fencing_tokens'), attempt = attempt + 1,
        lease_until = clock_timestamp() + make_interval(secs => :lease_seconds),
        started_at = COALESCE(started_at, clock_timestamp())
    FROM picked WHERE runs.id = picked.id
    RETURNING runs.id
""")

RECOVER = text("""
    UPDATE runs SET state = 'queued', lease_until = NULL
    WHERE state = 'running' AND lease_until < clock_timestamp() AND attempt < :attempts
""")

GIVE_UP = text("""
    UPDATE runs SET state = 'failed', lease_until = NULL, finished_at = clock_timestamp(),
        error = 'its worker went silent ' || attempt || ' times: killed, or stalled; see the worker''s log'
    WHERE state = 'running' AND lease_until < clock_timestamp() AND attempt >= :attempts
""")

ATTEMPTS = 3

now = func.clock_timestamp()


def insert_run(tx: Transaction, name: str, config: Mapping[str, Any], folder: str) -> RunId:
    """Queue a run of this configuration, whose relative paths start at `folder`."""
    values = {"id": new_id(tx, runs, "r"), "name": name, "config": dict(config), "folder": folder}
    defaults = {"state": RunState.QUEUED, "token": 0, "attempt": 0, "progress": {}, "created_at": func.now()}
    return RunId(tx.execute(insert(runs).values(values | defaults).returning(runs.c.id)).scalar_one())


def find(tx: Transaction, given: str) -> TrainingRun:
    """The run meant by an id, a unique prefix or `@last`.

    Raises:
        RunNotFound: none, or several.
    """
    return _get(tx, find_id(tx, runs, given, RunNotFound))


def claim(tx: Transaction, lease_seconds: float) -> TrainingRun | None:
    """Take the run that waited longest, or None."""
    found = tx.scalar(CLAIM, {"lease_seconds": lease_seconds})
    return None if found is None else _get(tx, found)


def renew(tx: Transaction, run: TrainingRun, lease_seconds: float, progress: Mapping[str, Any]) -> None:
    """Keep a claimed run and tell how far it is.

    Raises:
        LeaseLost: another worker has it.
    """
    _write(tx, run, lease_until=now + timedelta(seconds=lease_seconds), progress=dict(progress))


def complete(tx: Transaction, run: TrainingRun, model: str, progress: Mapping[str, Any]) -> None:
    """End a run with the model version that came out of it.

    Raises:
        LeaseLost: another worker has it.
    """
    values = {"model": model, "progress": dict(progress), "error": None}
    _write(tx, run, state=RunState.DONE, lease_until=None, finished_at=now, **values)


def fail(tx: Transaction, run: TrainingRun, error: str) -> None:
    """End a run with the reason why nothing came out of it.

    Raises:
        LeaseLost: another worker has it.
    """
    _write(tx, run, state=RunState.FAILED, lease_until=None, finished_at=now, error=error)


def release(tx: Transaction, run: TrainingRun) -> None:
    """Give a claimed run back to the queue.

    Raises:
        LeaseLost: another worker has it.
    """
    _write(tx, run, state=RunState.QUEUED, lease_until=None)


def recover(tx: Transaction) -> int:
    """Queue the runs of silent workers again, give up those that keep dying, and count the former."""
    tx.execute(GIVE_UP, {"attempts": ATTEMPTS})
    return tx.execute(RECOVER, {"attempts": ATTEMPTS}).rowcount


def any_queued(tx: Transaction) -> bool:
    """Whether a run waits for a worker."""
    return tx.scalar(select(runs.c.id).where(runs.c.state == RunState.QUEUED).limit(1)) is not None


def _write(tx: Transaction, run: TrainingRun, **values: object) -> None:
    mine = (runs.c.id == run.id) & (runs.c.token == run.token) & (runs.c.state == RunState.RUNNING)
    if tx.execute(update(runs).where(mine).values(**values)).rowcount != 1:
        raise LeaseLost(f"{run.id}: another worker has this run")


def _get(tx: Transaction, run_id: str) -> TrainingRun:
    row: Row[Any] = tx.execute(
        select(*(runs.c[name] for name in TrainingRun.__slots__)).where(runs.c.id == run_id)
    ).one()
    return TrainingRun(**(row._asdict() | {"state": RunState(row.state)}))
