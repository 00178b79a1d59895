"""From a recipe to a registered model version: queue a run, execute it, register the checkpoint.

What a trainer must do is stated here, by its consumer (:class:`Trainer`); `relex.training.launcher` implements it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from relex.db import model_versions as table
from relex.db import runs
from relex.db.connection import Database
from relex.domain.examples import Example
from relex.domain.runs import RunId, TrainingRun
from relex.domain.versions import FP32, ModelVersion, Scores
from relex.errors import DatabaseUnreachable, LeaseLost, RelexError, Transient
from relex.files.inputs import open_input
from relex.files.reading import (
    ReportReading,
    check_labeled,
    read_labeled_examples,
    read_target_examples,
    report_nothing,
)
from relex.flows.lease import Lease, LeaseTerms, Stopped, retry_until_written
from relex.flows.training_overlap import SeenRows, seen_rows
from relex.logs import log_context, worker_name
from relex.registry import model_versions
from relex.registry.promotion import Candidate, Rival, evaluate_rival, promote_if_better
from relex.registry.workspace import checkpoint_dir, remove_stale_workspaces, scratch_dir
from relex.settings import Settings
from relex.training.recipe.config import TrainingConfig

logger = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
"""Delay before a run is tried again after an external service, such as the model hub, did not answer."""


class Outcome(Protocol):
    """KLUE's two metrics on a labeled file, x100."""

    micro_f1: float
    auprc: float


class Trainer(Protocol):
    """A trainer and evaluator of checkpoints."""

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

        `scratch` survives a kill: training resumes from what an earlier attempt left there.
        """

    def evaluate(self, folder: Path, examples: Sequence[Example]) -> Outcome:
        """Evaluate the checkpoint in `folder` on labeled examples."""


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
    """The tools with which a run is executed."""

    trainer: Trainer
    settings: Settings
    stopping: Callable[[], bool]
    parity_check: ParityCheck
    on_stall: Callable[[], None] | None


def queue(database: Database, config: TrainingConfig, report: ReportReading = report_nothing) -> RunId:
    """Queue a training run of a checked recipe; its relative paths start at the current folder.

    Args:
        database: where to.
        config: the recipe.
        report: receives how each data file was read.

    Raises:
        InvalidCsv: a data file has bad rows or rows without a label: reported now rather than when the run starts.
    """
    for path in (config.data.train, config.data.valid):
        with open_input(path, config.data.reading) as file:
            check_labeled(file, report)
    if config.validation.like:
        read_target_examples(config.validation.like, config.data.reading, report)
    with database.transaction() as tx:
        return runs.insert_run(tx, config.name, config.to_dict(), str(Path.cwd()))


def train_next(
    database: Database,
    trainer: Trainer,
    settings: Settings,
    stopping: Callable[[], bool],
    parity_check: ParityCheck = no_parity_check,
    on_stall: Callable[[], None] | None = None,
) -> bool:
    """Execute the run that waited longest; return False if none waits.

    `parity_check` measures its checkpoint before that is registered; `on_stall` is called once a run made no progress
    for so long that its lease was given up.

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
            _execute(database, run, _Means(trainer, settings, stopping, parity_check, on_stall))
        except LeaseLost as error:
            logger.warning("%s", error)
    remove_stale_workspaces(database, settings)
    return True


def _execute(database: Database, run: TrainingRun, means: _Means) -> None:
    """Execute a claimed run: it ends done or failed, or returns to the queue.

    Raises:
        LeaseLost: another worker has it, or it was cancelled.
    """
    try:
        with chdir(run.folder):  # this process does nothing else
            _train(database, run, means)
    except (LeaseLost, DatabaseUnreachable):
        raise
    except Stopped:
        with database.transaction() as tx:
            runs.release(tx, run)
    except Transient as error:
        logger.warning("%s is tried again in %.0f s: %s", run.id, RETRY_SECONDS, error)
        with database.transaction() as tx:
            runs.release(tx, run, str(error), delay_seconds=RETRY_SECONDS)
    except Exception as error:
        expected = isinstance(error, RelexError | OSError)
        logger.error("%s: %s", run.id, error, exc_info=not expected)
        with database.transaction() as tx:
            runs.fail(tx, run, str(error) if expected else repr(error))


def _train(database: Database, run: TrainingRun, means: _Means) -> None:
    """Train, register the checkpoint with its scores, and make it current if it is better."""
    config = TrainingConfig.from_dict(run.config)
    progress: Mapping[str, Any] = run.progress  # the last report of an earlier worker, until there is a new one

    def renew() -> None:
        with database.transaction() as tx:
            runs.renew(tx, run, means.settings.lease_seconds, progress)

    def report(news: Mapping[str, Any]) -> None:
        nonlocal progress
        progress = dict(news)
        lease.record_progress()  # first: a lease that was given up must not be taken up again
        with suppress(DatabaseUnreachable):  # the lease's thread keeps trying
            renew()

    folder = checkpoint_dir(means.settings, run.id)
    lease_seconds, stall_seconds = means.settings.lease_seconds, means.settings.train_stall_seconds
    terms = LeaseTerms(lease_seconds, stall_seconds, means.stopping, on_stall=means.on_stall)
    with Lease(renew, terms) as lease:
        paths = (config.data.train, config.data.valid)
        train, valid = (read_labeled_examples(path, config.data.reading) for path in paths)
        means.trainer.train(config, train, valid, folder, report, scratch_dir(means.settings, run.id))
        _check_parity(means.parity_check, folder, valid)
    with Lease(renew, terms):  # a lease of its own: the evaluation may take as long as any other step
        facts = _facts(folder, config)
        candidate = _candidate(config, facts)
        rival = evaluate_rival(database, candidate, partial(_evaluate_version, database, means, candidate, valid))
        _log_seen_rows(rival, candidate, valid)

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
            decision = promote_if_better(tx, version, replace(candidate, note=version.note), rival)
            runs.complete(tx, run, str(version), dict(progress) | {"promotion": asdict(decision)})
        logger.info("%s is registered; %s", run.id, decision.sentence(str(version)))
        return version

    version = retry_until_written(register, means.stopping)
    for seen in seen_rows(version, candidate.scores.data_sha256, valid):
        _log_seen(seen)


def _check_parity(parity_check: ParityCheck, folder: Path, valid: Sequence[Example]) -> None:
    """Run the bf16 parity check; one that fails must not cost a training of hours."""
    try:
        parity_check(folder, valid)
    except (RelexError, OSError, RuntimeError) as error:
        logger.warning("16 bit was not measured, so the checkpoint is scored in float32: %s", error)


def _facts(folder: Path, config: TrainingConfig) -> model_versions.CheckpointFacts:
    """Return what is registered of the checkpoint, with the path of its training file and how that is read."""
    facts = model_versions.facts_of(folder)
    if not facts.trained_on:
        return facts
    path, options = str(config.data.train.resolve()), config.data.reading.texts()
    return replace(facts, trained_on=[replace(file, path=path, options=options) for file in facts.trained_on])


def _candidate(config: TrainingConfig, facts: model_versions.CheckpointFacts) -> Candidate:
    # The reweighted micro-F1 and that of unseen entities only choose an epoch: versions share no such scores.
    metric = "auprc" if config.validation.metric == "auprc" else "micro_f1"
    return Candidate(facts.scores, config.data.valid.name, metric, facts.note)


def _evaluate_version(
    database: Database, means: _Means, candidate: Candidate, valid: Sequence[Example], version: ModelVersion
) -> Scores:
    """Evaluate a version on the validation file in fp32, and store its scores with it."""
    outcome = means.trainer.evaluate(model_versions.checkpoint_folder(means.settings, version), valid)
    scores = Scores(candidate.scores.data_sha256, len(valid), outcome.micro_f1, outcome.auprc, FP32)
    with database.transaction() as tx:
        table.add_scores(tx, version, scores)
    return scores


def _log_seen_rows(rival: Rival | None, candidate: Candidate, valid: Sequence[Example]) -> None:
    if rival and not candidate.note:
        for seen in seen_rows(rival.version, candidate.scores.data_sha256, valid):
            _log_seen(seen)


def _log_seen(seen: SeenRows) -> None:
    """Warn of a version that was trained on rows of the file that it is evaluated on."""
    (logger.warning if seen.certain else logger.info)("%s", seen.text)
