"""From a recipe to a registered model version: queue a run, execute it, keep what comes out.

What a trainer must do is said here, by its user (:class:`Trainer`); `relex.training.trainer` fits it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from relex.db import model_versions as table
from relex.db import runs
from relex.db.connection import Database
from relex.domain.examples import Example
from relex.domain.runs import RunId, TrainingRun
from relex.domain.versions import DEFAULT_PRECISION, FP32, ModelVersion, Scores
from relex.errors import DatabaseUnreachable, LeaseLost, RelexError, Transient
from relex.files.reading import check_labelled, read_labelled_examples
from relex.flows.lease import Lease, LeaseTerms, Stopped, retry_until_written
from relex.flows.seen_rows import seen_rows
from relex.logs import log_context, worker_name
from relex.registry import model_versions
from relex.registry.workspace import checkpoint_dir, remove_stale_workspaces, scratch_dir
from relex.settings import Settings
from relex.training.recipe.config import TrainingConfig

logger = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
"""Delay before a run is tried again after an external service, such as the model hub, did not answer."""


class Outcome(Protocol):
    """KLUE's two figures on a labelled file, x100."""

    micro_f1: float
    auprc: float


class Trainer(Protocol):
    """Makes checkpoints and judges them."""

    def train(
        self,
        config: TrainingConfig,
        train: Sequence[Example],
        valid: Sequence[Example],
        folder: Path,
        report: Callable[[Mapping[str, Any]], None],
        scratch: Path,
    ) -> object:
        """Train, write a complete checkpoint to `folder`, and call `report` with plain data as it goes.

        `scratch` survives a kill: what an earlier attempt left there is gone on from.
        """

    def evaluate(self, folder: Path, examples: Sequence[Example]) -> Outcome:
        """Judge the checkpoint in `folder` on labelled examples."""


class TrainerFactory(Protocol):
    """A way to make a trainer."""

    def __call__(self, device: str, /) -> Trainer:
        """Return a trainer for a device, as RELEX_DEVICE names it."""


class ParityCheck(Protocol):
    """A comparison of a checkpoint's 16-bit predictions with its float32 predictions."""

    def __call__(self, folder: Path, examples: Sequence[Example], /) -> None:
        """Write into a checkpoint folder that is not registered yet whether it may be scored in 16 bit."""


def no_parity_check(folder: Path, examples: Sequence[Example]) -> None:
    """Leave a checkpoint unmeasured: it is scored in float32."""


@dataclass(frozen=True)
class _Means:
    """With what a run is executed."""

    trainer: Trainer
    settings: Settings
    stopping: Callable[[], bool]
    gate: ParityCheck
    on_stall: Callable[[], None] | None


def queue(database: Database, config: TrainingConfig) -> RunId:
    """Queue a training run of a checked recipe; its relative paths start at the current folder.

    Raises:
        InvalidCsv: a data file has bad rows or rows without a label: better told now than when the run begins.
    """
    for path in (config.data.train, config.data.valid):
        check_labelled(path, config.data.encoding)
    with database.transaction() as tx:
        return runs.insert_run(tx, config.name, config.to_dict(), str(Path.cwd()))


def train_next(
    database: Database,
    trainer: Trainer,
    settings: Settings,
    stopping: Callable[[], bool],
    gate: ParityCheck = no_parity_check,
    on_stall: Callable[[], None] | None = None,
) -> bool:
    """Execute the run that waited longest; False where none waits. Its checkpoint passes the gate before it is kept.

    `on_stall` is called once a run made no progress for so long that its lease was given up.

    Raises:
        DatabaseUnreachable: Postgres went away; the run's lease ends by itself and it is queued again.
    """
    remove_stale_workspaces(database, settings)
    with database.transaction() as tx:
        run = runs.claim(tx, worker_name(), settings.lease_seconds)
    if run is None:
        return False
    with log_context(run=run.id):
        try:
            _execute(database, run, _Means(trainer, settings, stopping, gate, on_stall))
        except LeaseLost as fault:
            logger.warning("%s", fault)
    remove_stale_workspaces(database, settings)
    return True


def _execute(database: Database, run: TrainingRun, means: _Means) -> None:
    """Whatever happens, the run ends done or failed or goes back to the queue, unless it is not ours any more.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    try:
        with chdir(run.folder):  # this process does nothing else
            version, scores = _train(database, run, means)
            _promote_if_better(database, means, TrainingConfig.from_dict(run.config), version, scores)
    except (LeaseLost, DatabaseUnreachable):
        raise
    except Stopped:
        with database.transaction() as tx:
            runs.release(tx, run)
    except Transient as error:
        logger.warning("%s is tried again in %.0f s: %s", run.id, RETRY_SECONDS, error)
        with database.transaction() as tx:
            runs.release(tx, run, str(error), delay_seconds=RETRY_SECONDS)
    except Exception as fault:
        understood = isinstance(fault, RelexError | OSError)
        logger.error("%s: %s", run.id, fault, exc_info=not understood)
        with database.transaction() as tx:
            runs.fail(tx, run, str(fault) if understood else repr(fault))


def _train(database: Database, run: TrainingRun, means: _Means) -> tuple[ModelVersion, Scores]:
    """Train, and register what comes out, with its scores on its own validation file."""
    config = TrainingConfig.from_dict(run.config)
    told: Mapping[str, Any] = run.progress  # what an earlier worker told, until there is news

    def renew() -> None:
        with database.transaction() as tx:
            runs.renew(tx, run, means.settings.lease_seconds, told)

    def report(progress: Mapping[str, Any]) -> None:
        nonlocal told
        told = dict(progress)
        lease.record_progress()  # first: a lease that was given up must not be taken up again
        with suppress(DatabaseUnreachable):  # the lease's thread keeps trying
            renew()

    folder = checkpoint_dir(means.settings, run.id)
    lease_seconds, stall_seconds = means.settings.lease_seconds, means.settings.train_stall_seconds
    terms = LeaseTerms(lease_seconds, stall_seconds, means.stopping, on_stall=means.on_stall)
    with Lease(renew, terms) as lease:
        paths = (config.data.train, config.data.valid)
        train, valid = (read_labelled_examples(path, config.data.encoding) for path in paths)
        means.trainer.train(config, train, valid, folder, report, scratch_dir(means.settings, run.id))
        _pass(means.gate, folder, valid)

    facts = model_versions.facts_of(folder)
    if files := facts.trained_on:  # now that it is known where they were read
        path, encoding = str(config.data.train.resolve()), config.data.encoding
        facts = replace(facts, trained_on=[replace(each, path=path, encoding=encoding) for each in files])

    def register() -> ModelVersion:
        with database.transaction() as tx:
            if done := runs.model_of(tx, run):  # by an earlier try, whose answer was lost
                return table.find(tx, done)
            try:
                runs.lock_run(tx, run)  # first: of a cancelled run no file is moved
            except LeaseLost:
                if done := runs.model_of(tx, run):  # the COMMIT of an earlier try was still on its way
                    return table.find(tx, done)
                raise
            version = model_versions.keep(tx, means.settings, config.name, facts, folder, run.id)
            runs.complete(tx, run, str(version), told)
        logger.info("%s is registered as %s", run.id, version)
        return version

    return retry_until_written(register, means.stopping), facts.scores


def _pass(gate: ParityCheck, folder: Path, valid: Sequence[Example]) -> None:
    """Without an answer the checkpoint is scored in float32; that must not cost a training of hours."""
    try:
        gate(folder, valid)
    except (RelexError, OSError, RuntimeError) as fault:
        logger.warning("not measured in 16 bit: %s", fault)


def _promote_if_better(
    database: Database,
    means: _Means,
    config: TrainingConfig,
    version: ModelVersion,
    scores: Scores,
) -> None:
    """Make a new version current where it beats the current one on its validation file.

    The version is registered by now: whatever goes wrong here, it stays, and a person may promote it.
    """
    if version.note:
        logger.info("%s is not promoted: it is %s", version, version.note)
        return
    try:
        with database.transaction() as tx:
            rival = table.current(tx)
        valid = read_labelled_examples(config.data.valid, config.data.encoding)
        for found in (each for one in (version, rival) if one for each in seen_rows(one, scores.data_sha256, valid)):
            (logger.warning if found.certain else logger.info)("%s", found.text)
        if rival is None or _beats(database, means, config, scores, rival):
            with database.transaction() as tx:
                promoted = table.promote_over(tx, version, rival)
            logger.info("%s %s", version, "is current" if promoted else "is not promoted: another one became current")
    except (RelexError, OSError) as fault:
        logger.warning("%s is not promoted: the current version could not be judged: %s", version, fault)


def _beats(
    database: Database,
    means: _Means,
    config: TrainingConfig,
    scores: Scores,
    rival: ModelVersion,
) -> bool:
    """Whether the scores are better than the rival's on the same file, on which it is judged now if it never was."""
    known = rival.score_on(scores.data_sha256)
    if known is None or known.precision == DEFAULT_PRECISION:  # compared is like with like
        valid = read_labelled_examples(config.data.valid, config.data.encoding)
        outcome = means.trainer.evaluate(model_versions.checkpoint_folder(means.settings, rival), valid)
        known = Scores(scores.data_sha256, len(valid), outcome.micro_f1, outcome.auprc, FP32)
        with database.transaction() as tx:
            table.add_scores(tx, rival, known)
    # The shifted and the grouped micro-F1 choose an epoch; versions are compared by what both have on this file.
    metric = "auprc" if config.validation.metric == "auprc" else "micro_f1"
    return bool(getattr(scores, metric) > getattr(known, metric))
