"""Training runs as rows, claimed under leases as shards are (:mod:`relex.db.leases`).

    queued --claim--> running --complete--> done
       ^                 |    --fail------> failed
       +--release--------+
       +--lease runs out-+    (or failed, where it keeps dying at one place)
    queued or running --cancel--> cancelled

`attempt` counts the workers that went silent since the run last got further than ever: a run that gets on may be
resumed as often as its machine is restarted.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, insert, select, text, update

from relex.db import leases, locks
from relex.db.connection import Transaction
from relex.db.ids import find_id, new_id
from relex.db.leases import Leased
from relex.db.tables import fencing_tokens, runs
from relex.domain.runs import RunId, RunState, TrainingRun
from relex.errors import LeaseLost, RelexError, RunNotFound

CLAIM = text(f"""
    WITH picked AS (
        SELECT id FROM runs WHERE state = 'queued' AND not_before <= now()
        ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE runs
    SET {leases.CLAIMED}, error = NULL, started_at = COALESCE(started_at, clock_timestamp())
    FROM picked WHERE runs.id = picked.id
    RETURNING runs.id
""")  # noqa: S608 - a constant of ours

GIVE_UP = text("""
    UPDATE runs SET state = 'failed', finished_at = clock_timestamp(),
        error = 'its worker went silent ' || attempt || ' times and got no further than step ' || furthest
            || ': killed, or stalled; see the worker''s log'
    WHERE id IN (SELECT id FROM runs WHERE state = 'queued' AND attempt >= :attempts FOR UPDATE SKIP LOCKED)
""")

ATTEMPTS = 3

CANCEL_TIMEOUT = "5s"
"""How long a cancel waits for a worker that registers its model version: that is a move of a folder and a commit."""


def _row(run: TrainingRun) -> ColumnElement[bool]:
    return runs.c.id == run.id


def _loss(tx: Transaction, run: TrainingRun) -> str:
    state = _get(tx, run.id).state
    return f"{run.id}: {'another worker has this run' if state is RunState.RUNNING else state}"


LEASED = Leased[TrainingRun](runs, RunState.QUEUED, silences="attempt", row=_row, loss=_loss)
RECOVER = leases.recovery(LEASED)


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


def claim(tx: Transaction, worker: str, lease_seconds: float) -> TrainingRun | None:
    """Take the run that waited longest for `lease_seconds`, or None. Commit at once."""
    run_id = tx.scalar(CLAIM, {"worker": worker, "lease_seconds": lease_seconds})
    return None if run_id is None else _get(tx, run_id)


def cancel(tx: Transaction, run: TrainingRun) -> None:
    """End a run that has not ended, on request; the worker that has it learns so from its next write.

    Waits for a worker that registers a model version at this moment: one of both comes first, whole.

    Raises:
        RelexError: it has ended by itself.
        LockTimeout: the worker that registers is frozen.
    """
    locks.limit_waits(tx, CANCEL_TIMEOUT)
    values = {
        "state": RunState.CANCELLED,
        "token": fencing_tokens.next_value(),
        "lease_until": None,
        "finished_at": leases.now,
        "error": None,
    }
    still_open = (runs.c.id == run.id) & runs.c.state.in_([RunState.QUEUED, RunState.RUNNING])
    if tx.execute(update(runs).where(still_open).values(**values)).rowcount != 1:
        raise RelexError(f"{run.id} is {_get(tx, run.id).state} already: there is nothing to cancel")


def lock_run(tx: Transaction, run: TrainingRun) -> None:
    """Make sure of a claimed run until the transaction ends: nobody else claims or cancels it meanwhile.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    if tx.scalar(select(runs.c.id).where(LEASED.held(run)).with_for_update()) is None:
        raise LeaseLost(_loss(tx, run))


def model_of(tx: Transaction, run: TrainingRun) -> str | None:
    """The model version that this claim of the run ended with, if it did."""
    mine = (runs.c.id == run.id) & (runs.c.token == run.token) & (runs.c.state == RunState.DONE)
    return tx.scalar(select(runs.c.model).where(mine))


def renew(tx: Transaction, run: TrainingRun, lease_seconds: float, progress: Mapping[str, Any]) -> None:
    """Keep a claimed run and record its progress; a step that was never reached before forgives the silent workers.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    step = int(progress.get("step", 0))
    values = {"progress": dict(progress), "furthest": func.greatest(runs.c.furthest, step)}
    forgiven = {"attempt": 0} if step > _furthest(tx, run) else {}
    leases.renew(tx, LEASED, run, lease_seconds, **values, **forgiven)


def complete(tx: Transaction, run: TrainingRun, model: str, progress: Mapping[str, Any]) -> None:
    """End a run with the model version that came out of it.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    leases.end(tx, LEASED, run, RunState.DONE, model=model, progress=dict(progress), error=None)


def fail(tx: Transaction, run: TrainingRun, error: str) -> None:
    """End a run with the reason why nothing came out of it.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    leases.end(tx, LEASED, run, RunState.FAILED, error=error)


def release(tx: Transaction, run: TrainingRun, reason: str | None = None, *, delay_seconds: float = 0.0) -> None:
    """Give a claimed run back to the queue; it may be claimed again after the delay, and no attempt is counted.

    `reason` is what a person should know; status shows it until the run is claimed again.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    leases.release(tx, LEASED, run, reason, delay_seconds)


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


def claimable(tx: Transaction) -> int:
    """How many runs could be claimed now."""
    waiting = (runs.c.state == RunState.QUEUED) & (runs.c.not_before <= func.now())
    return int(tx.scalar(select(func.count()).select_from(runs).where(waiting)) or 0)


def _furthest(tx: Transaction, run: TrainingRun) -> int:
    """The furthest step that any worker of the run has reached."""
    return int(tx.scalar(select(runs.c.furthest).where(runs.c.id == run.id)) or 0)


def _get(tx: Transaction, run_id: str) -> TrainingRun:
    return _run(tx.execute(_select().where(runs.c.id == run_id)).one())


def _select() -> Select[tuple[object, ...]]:
    return select(*(runs.c[name] for name in TrainingRun.__slots__))


def _run(row: Row[Any]) -> TrainingRun:
    return TrainingRun(**(row._asdict() | {"state": RunState(row.state)}))
