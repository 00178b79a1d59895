"""Training runs as rows, claimed under leases like shards (:mod:`relex.db.leases`).

    queued --claim--> running --complete--> done
       ^                 |    --fail------> failed
       +--release--------+
       +--lease expires--+    (or failed, if its workers keep dying at the same step)
    queued or running --cancel--> cancelled

`attempt` counts the workers whose lease expired since the run last reached a new step: a run that makes progress may be
resumed as often as its machine is restarted.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, insert, select, text, update

from relex.db import leases
from relex.db.connection import Transaction
from relex.db.ids import find_id, new_id
from relex.db.leases import LeasedTable
from relex.db.tables import fencing_tokens, runs
from relex.domain.runs import RunId, RunState, TrainingRun
from relex.errors import LeaseLost, RunNotFound

CLAIM = text(f"""
    WITH picked AS (
        SELECT id FROM runs WHERE state = 'queued' AND not_before <= now()
        ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE runs
    SET {leases.CLAIM_ASSIGNMENTS}, error = NULL, started_at = COALESCE(started_at, clock_timestamp())
    FROM picked WHERE runs.id = picked.id
    RETURNING runs.id
""")  # noqa: S608 - the interpolated text is a constant

GIVE_UP = text("""
    UPDATE runs SET state = 'failed', finished_at = clock_timestamp(),
        error = 'its worker was killed or stalled ' || attempt || ' times without getting past step ' || furthest
            || '; see the worker''s log'
    WHERE id IN (SELECT id FROM runs WHERE state = 'queued' AND attempt >= :attempts FOR UPDATE SKIP LOCKED)
""")

ATTEMPTS = 3
"""Number of workers that may die or stall at the same step before the run fails."""

CANCEL_TIMEOUT = "5s"
"""How long a cancel waits for a worker that registers its model version: a move of a folder and a commit."""


def _row(run: TrainingRun) -> ColumnElement[bool]:
    return runs.c.id == run.id


def _lease_lost_message(tx: Transaction, run: TrainingRun) -> str:
    state = _get(tx, run.id).state
    return f"{run.id}: {'another worker has this run' if state is RunState.RUNNING else state}"


LEASED_RUNS = LeasedTable[TrainingRun](
    runs, RunState.QUEUED, expiries="attempt", row=_row, lease_lost_message=_lease_lost_message
)
RECOVER = leases.recovery(LEASED_RUNS)


def insert_run(tx: Transaction, name: str, config: Mapping[str, Any], folder: str) -> RunId:
    """Queue a run of this configuration, whose relative paths are relative to `folder`."""
    values = {"id": new_id(tx, runs, "r"), "name": name, "config": dict(config), "folder": folder}
    defaults = {"state": RunState.QUEUED, "token": 0, "attempt": 0, "progress": {}, "created_at": func.now()}
    return RunId(tx.execute(insert(runs).values(values | defaults).returning(runs.c.id)).scalar_one())


def find(tx: Transaction, run_ref: str) -> TrainingRun:
    """Return the run that an id, a unique prefix or `@last` stands for.

    Raises:
        RunNotFound: no run matches, or several do.
    """
    return _get(tx, find_id(tx, runs, run_ref, RunNotFound))


def claim(tx: Transaction, worker: str, lease_seconds: float) -> TrainingRun | None:
    """Claim the run that has waited longest, for `lease_seconds`; None if none waits. Commit at once."""
    run_id = tx.scalar(CLAIM, {"worker": worker, "lease_seconds": lease_seconds})
    return None if run_id is None else _get(tx, run_id)


def cancel(tx: Transaction, run: TrainingRun) -> bool:
    """Cancel a run; return False if it has ended already. Its worker notices at its next write.

    A worker that is registering the model version finishes first, or the cancel comes first; never half of each.

    Raises:
        LockTimeout: the worker that is registering is frozen.
    """
    leases.set_lock_timeout(tx, CANCEL_TIMEOUT)
    values = {
        "state": RunState.CANCELLED,
        "token": fencing_tokens.next_value(),
        "lease_until": None,
        "finished_at": leases.now,
        "error": None,
    }
    still_open = (runs.c.id == run.id) & runs.c.state.in_([RunState.QUEUED, RunState.RUNNING])
    return tx.execute(update(runs).where(still_open).values(**values)).rowcount == 1


def lock_run(tx: Transaction, run: TrainingRun) -> None:
    """Lock a claimed run until the transaction ends: no other process claims or cancels it meanwhile.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    if tx.scalar(select(runs.c.id).where(LEASED_RUNS.is_valid(run)).with_for_update()) is None:
        raise LeaseLost(_lease_lost_message(tx, run))


def model_of(tx: Transaction, run: TrainingRun) -> str | None:
    """Return the model version with which this claim of the run ended; None if it has not."""
    mine = (runs.c.id == run.id) & (runs.c.token == run.token) & (runs.c.state == RunState.DONE)
    return tx.scalar(select(runs.c.model).where(mine))


def renew(tx: Transaction, run: TrainingRun, lease_seconds: float, progress: Mapping[str, Any]) -> None:
    """Renew the lease of a run and record its progress; a new furthest step resets the count of expired leases.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    step = int(progress.get("step", 0))
    values = {"progress": dict(progress), "furthest": func.greatest(runs.c.furthest, step)}
    reset = {"attempt": 0} if step > _furthest(tx, run) else {}
    leases.renew(tx, LEASED_RUNS, run, lease_seconds, **values, **reset)


def complete(tx: Transaction, run: TrainingRun, model: str, progress: Mapping[str, Any]) -> None:
    """End a run with its model version.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    leases.end(tx, LEASED_RUNS, run, RunState.DONE, model=model, progress=dict(progress), error=None)


def fail(tx: Transaction, run: TrainingRun, error: str) -> None:
    """Fail a run with the reason.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    leases.end(tx, LEASED_RUNS, run, RunState.FAILED, error=error)


def release(tx: Transaction, run: TrainingRun, reason: str | None = None, *, delay_seconds: float = 0.0) -> None:
    """Return a claimed run to the queue; it may be claimed again after the delay, and no attempt is counted.

    `relex status` shows `reason` until the run is claimed again.

    Raises:
        LeaseLost: another worker has claimed it, or it was cancelled.
    """
    leases.release(tx, LEASED_RUNS, run, reason, delay_seconds)


def recover(tx: Transaction) -> int:
    """Queue runs with expired leases again, fail those that keep dying at one step, and count the former."""
    recovered = tx.execute(RECOVER).rowcount
    return recovered - tx.execute(GIVE_UP, {"attempts": ATTEMPTS}).rowcount


def find_ended(tx: Transaction, ids: Iterable[str]) -> set[str]:
    """Return which of these ids are runs that have ended; the others run, wait, or do not exist."""
    rows = tx.execute(select(runs.c.id, runs.c.state).where(runs.c.id.in_(list(ids))))
    return {row.id for row in rows if RunState(row.state).ended}


def newest(tx: Transaction, limit: int) -> list[TrainingRun]:
    """Return the newest runs, newest first."""
    return [_run(row) for row in tx.execute(_select().order_by(runs.c.seq.desc()).limit(limit))]


def claimable(tx: Transaction) -> int:
    """Count the runs that could be claimed now."""
    waiting = (runs.c.state == RunState.QUEUED) & (runs.c.not_before <= func.now())
    return int(tx.scalar(select(func.count()).select_from(runs).where(waiting)) or 0)


def _furthest(tx: Transaction, run: TrainingRun) -> int:
    """Return the furthest step that any worker of the run has reached."""
    return int(tx.scalar(select(runs.c.furthest).where(runs.c.id == run.id)) or 0)


def _get(tx: Transaction, run_id: str) -> TrainingRun:
    return _run(tx.execute(_select().where(runs.c.id == run_id)).one())


def _select() -> Select[tuple[object, ...]]:
    return select(*(runs.c[name] for name in TrainingRun.__slots__))


def _run(row: Row[Any]) -> TrainingRun:
    return TrainingRun(**(row._asdict() | {"state": RunState(row.state)}))
