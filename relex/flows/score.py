"""Scoring one shard: claim, score, commit. Whatever happens, the shard ends done, failed or back in the queue.

What a scorer must do is said here, by its user (:class:`Scorer`); `relex.scoring` fits it, and so does the fake
one of the tests.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from relex.db import shards
from relex.db.connection import Database
from relex.errors import DatabaseUnreachable, LeaseLost, RelexError, Transient, printable
from relex.examples import Example, Outcome, Prediction, RowError
from relex.flows.lease import Lease, LeaseTerms, Stopped
from relex.flows.retry_write import retry_until_written
from relex.flows.sheet import Sheet
from relex.flows.sweep import close
from relex.flows.unloadable import UnloadableModels
from relex.jobs import Shard
from relex.logs import holding

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
RETRY_SECONDS = 5.0
LONGEST_MESSAGE = 1_000
"""Characters of a row error: some libraries quote the whole input, which may be a megabyte."""


class Scorer(Protocol):
    """A loaded checkpoint."""

    def score(self, examples: Sequence[Example]) -> Iterator[Sequence[Prediction]]:
        """Predictions of all examples, one batch at a time, in any order."""


@dataclass(frozen=True)
class Worker:
    """Who scores, with what, and for how long at a time."""

    name: str
    load_scorer: Callable[[str, bool], Scorer]
    """The scorer of a model version, by `name@number` and whether it must be exact (fp32)."""
    terms: LeaseTerms
    unloadable: UnloadableModels = field(default_factory=UnloadableModels)
    """The model versions that this worker failed to load lately; their jobs are left to others."""


def score_next(database: Database, worker: Worker) -> bool:
    """Claim the next shard and score it; False where none waits for this worker.

    Raises:
        DatabaseUnreachable: Postgres went away; the shard's lease runs out by itself.
    """
    with database.transaction() as tx:
        shard = shards.claim(tx, worker.name, worker.terms.lease_seconds, worker.unloadable.names())
    if shard is None:
        return False
    with holding(job=shard.job_id, shard=shard.first_row, model=shard.model):
        _score_claimed(database, worker, shard)
        close(database, shard.job_id)
    return True


class CannotLoad(Exception):
    """This worker has no scorer for the shard's model; others may have."""


def _score_claimed(database: Database, worker: Worker, shard: Shard) -> None:
    """Score a claimed shard; whatever happens, it ends done, failed or back in the queue."""
    try:
        with _lease(database, shard, worker) as lease:
            outcome = _score(database, shard, worker, lease)
        retry_until_written(lambda: _commit(database, shard, outcome), worker.terms.stopping)
        counts = len(outcome.scored), len(outcome.answered), len(outcome.errors)
        logger.info("rows: %d scored, %d answered, %d failed", *counts)
    except CannotLoad as error:
        pause = worker.unloadable.add(shard.model)
        reason = f"{worker.name} cannot load {shard.model} and tries again in {pause:.0f} s: {error}"
        logger.error("%s", reason)
        _release(database, shard, reason, delay_seconds=RETRY_SECONDS)
    except LeaseLost as error:
        logger.warning("%s", error)
    except Stopped:
        _release(database, shard, "worker stopped")
    except DatabaseUnreachable:
        raise
    except Transient as error:
        _release(database, shard, str(error), delay_seconds=RETRY_SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever it is, the shard must not be left to its lease
        _give_up_or_retry(database, shard, error)


def _load(worker: Worker, shard: Shard) -> Scorer:
    try:
        scorer = worker.load_scorer(shard.model, shard.exact)
    except DatabaseUnreachable:
        raise
    except Exception as error:
        raise CannotLoad(str(error) or repr(error)) from error
    worker.unloadable.forget(shard.model)
    return scorer


def _lease(database: Database, shard: Shard, worker: Worker) -> Lease:
    def renew() -> None:
        with database.transaction() as tx:
            shards.renew(tx, shard, worker.terms.lease_seconds)

    return Lease(renew, worker.terms)


def _score(database: Database, shard: Shard, worker: Worker, lease: Lease) -> Outcome:
    """What becomes of a shard's rows. Where all of them were scored before, no model is loaded."""
    with database.transaction() as tx:
        sheet = Sheet(tx, shard)
    lease.record_progress()
    errors = _fill(sheet, _load(worker, shard), lease) if sheet.waiting else []
    return sheet.outcome(errors)


def _fill(sheet: Sheet, scorer: Scorer, lease: Lease) -> list[RowError]:
    """Score what waits, and return the errors of the examples that cannot be scored."""

    def keep(batch: Sequence[Prediction]) -> None:
        sheet.take(batch)
        lease.record_progress()

    lease.record_progress()
    asked = sheet.to_score
    try:
        for batch in scorer.score(asked):
            keep(batch)
    except (LeaseLost, Stopped, Transient):
        raise
    except Exception as fault:  # noqa: BLE001 - one bad example must not cost the others
        logger.warning("%r; %d rows one by one", fault, len(sheet.waiting))
        return _one_by_one(scorer, sheet, keep)
    if sheet.waiting:
        raise RuntimeError(f"the scorer left out {len(sheet.to_score)} of {len(asked)} examples")
    return []


def _one_by_one(scorer: Scorer, sheet: Sheet, keep: Callable[[Sequence[Prediction]], None]) -> list[RowError]:
    """Score each example by itself and return the errors of those that cannot be.

    Raises:
        Exception: none of them can be scored, nor one that was scored before: the device or the checkpoint is
            broken, and no row is to blame.
    """
    rest = sheet.waiting
    errors: list[RowError] = []
    unexpected: list[Exception] = []
    for example in filter(sheet.is_waiting, rest):
        try:
            for batch in scorer.score([example]):
                keep(batch)
        except (LeaseLost, Stopped, Transient):
            raise
        except RelexError as fault:
            errors.append(_row_error(example, "cannot-be-scored", str(fault)))
        except Exception as fault:  # noqa: BLE001 - recorded with its row
            unexpected.append(fault)
            errors.append(_row_error(example, "scoring-failed", repr(fault)))
    if len(unexpected) == len(rest) and not _still_scores(scorer, sheet.known_good):
        raise unexpected[0]
    return errors


def _row_error(example: Example, code: str, words: str) -> RowError:
    """With words that Postgres can store and a terminal show, whatever a library put into its message."""
    return RowError(example.row_no, code, printable(words[:LONGEST_MESSAGE]))


def _still_scores(scorer: Scorer, known_good: Example | None) -> bool:
    """Whether an example that has a prediction could be scored now; False where there is none to try."""
    try:
        return known_good is not None and bool(list(scorer.score([known_good])))
    except (LeaseLost, Stopped, Transient):
        raise
    except Exception:  # noqa: BLE001 - that it fails is the answer
        return False


def _commit(database: Database, shard: Shard, outcome: Outcome) -> None:
    """Write a shard's end, unless an earlier try did."""
    with database.transaction() as tx:
        if not shards.is_done(tx, shard):
            shards.complete(tx, shard, outcome)


def _release(database: Database, shard: Shard, reason: str, *, delay_seconds: float = 0.0) -> None:
    try:
        with database.transaction() as tx:
            shards.release(tx, shard, reason, delay_seconds=delay_seconds)
    except LeaseLost as error:
        logger.warning("%s", error)


def _give_up_or_retry(database: Database, shard: Shard, error: Exception) -> None:
    """Release a shard that failed as a whole, so that it is tried elsewhere; give it up after MAX_ATTEMPTS."""
    logger.error("%s rows %d to %d: %r", shard.job_id, shard.first_row, shard.end_row, error, exc_info=error)
    reason = str(error) if isinstance(error, RelexError) else repr(error)
    try:
        with database.transaction() as tx:
            if shard.attempt + 1 < MAX_ATTEMPTS:
                shards.release(tx, shard, reason, delay_seconds=RETRY_SECONDS, failed=True)
            else:
                shards.fail(tx, shard, reason)
    except LeaseLost as lost:
        logger.warning("%s", lost)
