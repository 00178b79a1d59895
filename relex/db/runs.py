"""Training runs as rows: the same claim, lease and fencing token as for shards, one run at a time.

    queued --claim--> running --complete--> done
       ^                 |    --fail------> failed
       +--release--------+
       +--lease runs out-+    (or failed, where it keeps dying at one place)
    queued or running --cancel--> cancelled

`attempt` counts the workers that went silent since the run last got further than ever: a run that gets on may be
resumed as often as its machine is restarted.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, insert, select, text, update

from relex.db.connection import Transaction
from relex.db.ids import find_id, new_id
from relex.db.tables import fencing_tokens, runs
from relex.errors import LeaseLost, RelexError, RunNotFound
from relex.runs import RunId, RunState, TrainingRun

CLAIM = text("""
    WITH picked AS (
        SELECT id FROM runs WHERE state = 'queued' ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE runs
    SET state = 'running', token = nextval('fencing_tokens'), error = NULL,
        lease_until = clock_timestamp() + make_interval(secs => :lease_seconds),
        started_at = COALESCE(started_at, clock_timestamp())
    FROM picked WHERE runs.id = picked.id
    RETURNING runs.id
""")

# A lease that ran out while Postgres itself was down says nothing about its worker.
RECOVER = text("""
    UPDATE runs
    SET state = 'queued', lease_until = NULL,
        attempt = attempt + CASE WHEN lease_until > pg_postmaster_start_time() THEN 1 ELSE 0 END
    WHERE state = 'running' AND lease_until < clock_timestamp()
""")

GIVE_UP = text("""
    UPDATE runs SET state = 'failed', finished_at = clock_timestamp(),
        error = 'its worker went silent ' || attempt || ' times and got no further than step ' || furthest
            || ': killed, or stalled; see the worker''s log'
    WHERE state = 'queued' AND attempt >= :attempts
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


def cancel(tx: Transaction, run: TrainingRun) -> None:
    """End a run that has not ended, on request; the worker that has it learns so from its next write.

    Waits for a worker that registers a model version at this moment: one of both comes first, whole.

    Raises:
        RelexError: it has ended by itself.
    """
    values = {
        "state": RunState.CANCELLED,
        "token": fencing_tokens.next_value(),
        "lease_until": None,
        "finished_at": now,
        "error": None,
    }
    still_open = (runs.c.id == run.id) & runs.c.state.in_([RunState.QUEUED, RunState.RUNNING])
    if tx.execute(update(runs).where(still_open).values(**values)).rowcount != 1:
        raise RelexError(f"{run.id} is {_get(tx, run.id).state} already: there is nothing to cancel")


def hold(tx: Transaction, run: TrainingRun) -> None:
    """Make sure of a claimed run until the transaction ends: nobody else claims or cancels it meanwhile.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    if tx.scalar(select(runs.c.id).where(_mine(run)).with_for_update()) is None:
        raise _lost(tx, run)


def model_of(tx: Transaction, run: TrainingRun) -> str | None:
    """The model version that this claim of the run ended with, if it did."""
    mine = (runs.c.id == run.id) & (runs.c.token == run.token) & (runs.c.state == RunState.DONE)
    return tx.scalar(select(runs.c.model).where(mine))


def renew(tx: Transaction, run: TrainingRun, lease_seconds: float, progress: Mapping[str, Any]) -> None:
    """Keep a claimed run and tell how far it is; a step that was never reached before forgives the silent workers.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    step = int(progress.get("step", 0))
    _write(
        tx,
        run,
        lease_until=now + timedelta(seconds=lease_seconds),
        progress=dict(progress),
        attempt=case((runs.c.furthest < step, 0), else_=runs.c.attempt),
        furthest=func.greatest(runs.c.furthest, step),
    )


def complete(tx: Transaction, run: TrainingRun, model: str, progress: Mapping[str, Any]) -> None:
    """End a run with the model version that came out of it.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    values = {"model": model, "progress": dict(progress), "error": None}
    _write(tx, run, state=RunState.DONE, lease_until=None, finished_at=now, **values)


def fail(tx: Transaction, run: TrainingRun, error: str) -> None:
    """End a run with the reason why nothing came out of it.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    _write(tx, run, state=RunState.FAILED, lease_until=None, finished_at=now, error=error)


def release(tx: Transaction, run: TrainingRun, reason: str | None = None) -> None:
    """Give a claimed run back to the queue; no attempt is counted.

    Args:
        tx: the transaction.
        run: as it was claimed.
        reason: why, where a person should know it; status shows it until the run is claimed again.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    _write(tx, run, state=RunState.QUEUED, lease_until=None, error=reason)


def recover(tx: Transaction) -> int:
    """Queue the runs of silent workers again, give up those that keep dying at one place, and count the former."""
    recovered = tx.execute(RECOVER).rowcount
    return recovered - tx.execute(GIVE_UP, {"attempts": ATTEMPTS}).rowcount


def ended(tx: Transaction, ids: Iterable[str]) -> set[str]:
    """Which of these are runs that have ended; others run, wait, or are not known here."""
    rows = tx.execute(select(runs.c.id, runs.c.state).where(runs.c.id.in_(list(ids))))
    return {row.id for row in rows if RunState(row.state).ended}


def newest(tx: Transaction, limit: int) -> list[TrainingRun]:
    """The newest runs, newest first."""
    return [_run(row) for row in tx.execute(_select().order_by(runs.c.seq.desc()).limit(limit))]


def any_queued(tx: Transaction) -> bool:
    """Whether a run waits for a worker."""
    return tx.scalar(select(runs.c.id).where(runs.c.state == RunState.QUEUED).limit(1)) is not None


def _write(tx: Transaction, run: TrainingRun, **values: object) -> None:
    if tx.execute(update(runs).where(_mine(run)).values(**values)).rowcount != 1:
        raise _lost(tx, run)


def _mine(run: TrainingRun) -> ColumnElement[bool]:
    return (runs.c.id == run.id) & (runs.c.token == run.token) & (runs.c.state == RunState.RUNNING)


def _lost(tx: Transaction, run: TrainingRun) -> LeaseLost:
    cancelled = _get(tx, run.id).state is RunState.CANCELLED
    return LeaseLost(f"{run.id}: {'cancelled' if cancelled else 'another worker has this run'}")


def _get(tx: Transaction, run_id: str) -> TrainingRun:
    return _run(tx.execute(_select().where(runs.c.id == run_id)).one())


def _select() -> Select[tuple[object, ...]]:
    return select(*(runs.c[name] for name in TrainingRun.__slots__))


def _run(row: Row[Any]) -> TrainingRun:
    return TrainingRun(**(row._asdict() | {"state": RunState(row.state)}))
