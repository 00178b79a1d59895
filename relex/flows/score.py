"""Scoring one shard: claim, score, commit.

Whatever happens, the shard ends done, failed or back in the queue.

What a scorer must do is stated here, by its consumer (:class:`Scorer`); `relex.inference` implements it, and so does
the fake scorer of the tests.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from relex.db import examples, shards
from relex.db.connection import Database
from relex.domain.examples import CANNOT_BE_SCORED, SCORING_FAILED, Example, Outcome, Prediction, RowError, RowResult
from relex.domain.jobs import Shard
from relex.errors import DatabaseUnreachable, LeaseLost, RelexError, Transient
from relex.flows.lease import Lease, LeaseTerms, Stopped, retry_until_written
from relex.flows.pending_rows import PendingRows
from relex.flows.quality import assess_ended
from relex.flows.sweep import close
from relex.lazy import load_two_sample_test
from relex.logs import log_context

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
RETRY_SECONDS = 5.0

FIRST_PAUSE = 15.0
"""Seconds for which a worker skips a model version after it first failed to load it."""

MAX_PAUSE = 240.0
"""Maximum of this pause, which doubles with every failure."""


class Scorer(Protocol):
    """A loaded checkpoint."""

    def score(self, examples: Sequence[Example]) -> Iterator[Sequence[RowResult]]:
        """Yield one result for each example, a batch at a time, in any order.

        An example that is known to be unfit has a row error beside the others' predictions; what is raised instead
        makes the caller score in ever smaller groups until it has found the cause.
        """


@runtime_checkable
class DescribesEnvironment(Protocol):
    """A scorer that says what the bits of its predictions rest on; RELEX_SCORER may name one that does not."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The device, the type of the computation and the versions of libraries, by name."""


def environment_of(scorer: Scorer) -> Mapping[str, str] | None:
    """Return what the bits of a scorer's predictions rest on; None if it does not say."""
    return scorer.environment if isinstance(scorer, DescribesEnvironment) else None


class OpenScorer(Protocol):
    """A way to load a checkpoint."""

    def __call__(self, folder: Path, device: str, exact: bool, /) -> Scorer:
        """Load the checkpoint in a folder to a device, in fp32 where it must be exact."""


class UnloadableModels:
    """The models that one process failed to load, each with a pause that doubles, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[float, float]] = {}
        """Time of the last failure and length of the pause after it, by model."""

    def add(self, model: str) -> float:
        """Record a failure and return for how many seconds the model is skipped."""
        _, last = self._failures.get(model, (0.0, 0.0))
        pause = min(max(2 * last, FIRST_PAUSE), MAX_PAUSE)
        self._failures[model] = self._clock(), pause
        return pause

    def forget(self, model: str) -> None:
        """Forget the failures of a model that was loaded."""
        self._failures.pop(model, None)

    def names(self) -> list[str]:
        """Return the models that are skipped at this moment."""
        now = self._clock()
        return [model for model, (failed_at, pause) in self._failures.items() if now < failed_at + pause]


@dataclass(frozen=True)
class Worker:
    """A worker: its name, its scorers and the terms of its leases."""

    name: str
    load_scorer: Callable[[str, bool], Scorer]
    """Returns the scorer of a model version, by `name@number` and whether it must be exact (fp32)."""
    terms: LeaseTerms
    unloadable: UnloadableModels = field(default_factory=UnloadableModels)
    """Model versions that this worker failed to load recently; other workers score their jobs."""


def score_next(database: Database, worker: Worker) -> bool:
    """Claim the next shard and score it; return False if none waits for this worker.

    Raises:
        DatabaseUnreachable: Postgres went away; the shard's lease runs out by itself.
    """
    with database.transaction() as tx:
        shard = shards.claim(tx, worker.name, worker.terms.lease_seconds, worker.unloadable.names())
    if shard is None:
        return False
    with log_context(job=shard.job_id, shard=shard.first_row, model=shard.model):
        _score_claimed(database, worker, shard)
        close(database, shard.job_id)
        assess_ended(database, shard.job_id, load_two_sample_test)
    return True


class CannotLoad(Exception):
    """This worker has no scorer for the shard's model; others may have."""


def _score_claimed(database: Database, worker: Worker, shard: Shard) -> None:
    """Score a claimed shard; whatever happens, it ends done, failed or back in the queue."""
    try:
        with _lease(database, shard, worker) as lease:
            outcome = _score(database, shard, worker, lease)
        retry_until_written(lambda: _commit(database, shard, outcome), worker.terms.stopping)
        counts = len(outcome.scored), len(outcome.reused), len(outcome.errors)
        logger.info("rows: %d scored, %d reused, %d failed", *counts)
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
    """Return a result for each row of a shard, with the label of its inverse pair if the job asks for it."""
    with database.transaction() as tx:
        rows = PendingRows(tx, shard, examples.of_shard(tx, shard))
    environment = _score_pending(rows, shard, worker, lease)
    outcome = replace(rows.outcome(), environment=environment)
    if not shard.check_inverse:
        return outcome
    with database.transaction() as tx:
        inverses = rows.inverses(tx)
    _score_pending(inverses, shard, worker, lease)
    return outcome.with_inverses(inverses.outcome())


def _score_pending(rows: PendingRows, shard: Shard, worker: Worker, lease: Lease) -> Mapping[str, str] | None:
    """Score the pending rows, and return the environment; no model is loaded if all predictions were reused."""
    lease.record_progress()
    if not rows:
        return None
    scorer = _load(worker, shard)
    _score_or_blame(rows, scorer, lease)
    return environment_of(scorer)


def _score_or_blame(rows: PendingRows, scorer: Scorer, lease: Lease) -> None:
    """Score the pending rows; where the scorer raises, find the rows to blame and record their errors.

    Raises:
        Exception: the device or the checkpoint is broken, since no row that has a prediction can be scored now; no row
            is to blame.
    """
    attempt = partial(_attempt, rows, scorer, lease)
    error = attempt(rows.unique)
    if error is None:
        return
    logger.warning("%r; looking for its cause in %d rows", error, len(rows))
    good = rows.known_good
    if good and not isinstance(error, RelexError) and not _still_scores(scorer, good):
        raise error
    failing = _failing(attempt, rows, rows.unique)
    unexpected = [each for _, each in failing if not isinstance(each, RelexError)]
    if unexpected and not _still_scores(scorer, rows.known_good):
        raise unexpected[0]
    rows.record(_row_error(example, each) for example, each in failing)


def _attempt(rows: PendingRows, scorer: Scorer, lease: Lease, examples: Sequence[Example]) -> Exception | None:
    """Score examples together and record their results; return the error that ended it early, if any."""
    lease.record_progress()
    try:
        for batch in scorer.score(examples):
            rows.record(batch)
            lease.record_progress()
    except (LeaseLost, Stopped, Transient):
        raise
    except Exception as error:  # noqa: BLE001 - one bad example must not cost the others
        return error
    if left_out := rows.among(examples):
        raise RuntimeError(f"the scorer left out {len(left_out)} of {len(examples)} examples")
    return None


def _failing(
    attempt: Callable[[Sequence[Example]], Exception | None], rows: PendingRows, examples: Sequence[Example]
) -> list[tuple[Example, Exception]]:
    """Score examples in ever smaller groups, and return those that fail alone with their errors.

    Halving costs one bad row among n about 2 log2(n) attempts, and no group is scored twice: what an attempt recorded
    before it failed is kept.
    """
    error = attempt(examples) if examples else None
    if error is None:
        return []
    rest = rows.among(examples)
    if len(rest) <= 1:
        return [(example, error) for example in rest]
    middle = len(rest) // 2
    return [*_failing(attempt, rows, rest[:middle]), *_failing(attempt, rows, rest[middle:])]


def _row_error(example: Example, error: Exception) -> RowError:
    """Return the row error for an example; the message of a RelexError is written for people."""
    if isinstance(error, RelexError):
        return RowError(example.row_no, CANNOT_BE_SCORED, str(error))
    return RowError(example.row_no, SCORING_FAILED, repr(error))


def _still_scores(scorer: Scorer, known_good: Example | None) -> bool:
    """Return whether an example that has a prediction can still be scored; False if there is none to try."""
    if known_good is None:
        return False
    try:
        return any(isinstance(result, Prediction) for batch in scorer.score([known_good]) for result in batch)
    except (LeaseLost, Stopped, Transient):
        raise
    except Exception:  # noqa: BLE001 - that it fails is the answer
        return False


def _commit(database: Database, shard: Shard, outcome: Outcome) -> None:
    """Write the outcome of a shard, unless an earlier attempt did."""
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
    """Release a shard that failed as a whole for another attempt; fail it after MAX_ATTEMPTS."""
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
