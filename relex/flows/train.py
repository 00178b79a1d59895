"""From a recipe to a registered model version: queue a run, execute it, keep what comes out.

What a trainer must do is said here, by its user (:class:`Trainer`); `relex.training.trainer` fits it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any, Protocol

from relex.csvfile.reading import read_labelled_examples
from relex.db import models as table
from relex.db import runs
from relex.db.connection import Database
from relex.errors import LeaseLost, RelexError
from relex.examples import Example
from relex.flows import models
from relex.flows.lease import Lease, LeaseTerms, Stopped
from relex.runs import ModelVersion, RunId, Scores, TrainingRun
from relex.settings import Settings
from relex.training.config import TrainingConfig

logger = logging.getLogger(__name__)


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
    ) -> object:
        """Train, write a complete checkpoint to `folder`, and call `report` with plain data as it goes."""

    def evaluate(self, folder: Path, examples: Sequence[Example], device: str) -> Outcome:
        """Judge the checkpoint in `folder` on labelled examples."""


def queue(database: Database, config: TrainingConfig) -> RunId:
    """Queue a training run of a checked recipe; its relative paths start at the current folder."""
    with database.transaction() as tx:
        return runs.insert_run(tx, config.name, config.to_dict(), str(Path.cwd()))


def train_next(database: Database, trainer: Trainer, settings: Settings, stopping: Callable[[], bool]) -> bool:
    """Execute the run that waited longest; False where none waits.

    Raises:
        ServiceUnreachable: Postgres went away; the run's lease ends by itself and it is queued again.
    """
    with database.transaction() as tx:
        run = runs.claim(tx, settings.lease_seconds)
    if run is None:
        return False
    try:
        with chdir(run.folder):  # this process does nothing else
            version = _train(database, run, trainer, settings, stopping)
        logger.info("%s is registered as %s", run.id, version)
    except LeaseLost as fault:
        logger.warning("%s", fault)
    except Stopped:
        with database.transaction() as tx:
            runs.release(tx, run)
    except Exception as fault:
        understood = isinstance(fault, RelexError | OSError)
        logger.error("%s: %s", run.id, fault, exc_info=not understood)
        with database.transaction() as tx:
            runs.fail(tx, run, str(fault) if understood else repr(fault))
    return True


def _train(
    database: Database, run: TrainingRun, trainer: Trainer, settings: Settings, stopping: Callable[[], bool]
) -> ModelVersion:
    config = TrainingConfig.from_dict(run.config)
    told: Mapping[str, Any] = {}

    def renew() -> None:
        with database.transaction() as tx:
            runs.renew(tx, run, settings.lease_seconds, told)

    def report(progress: Mapping[str, Any]) -> None:
        nonlocal told
        told = dict(progress)
        renew()
        lease.moved()

    valid = read_labelled_examples(config.data.valid)
    folder = settings.home / "models" / ".unfinished" / run.id
    terms = LeaseTerms(settings.lease_seconds, settings.stall_seconds, stopping)
    with Lease(renew, terms) as lease:
        trainer.train(config, read_labelled_examples(config.data.train), valid, folder, report)
        scores = models.scores_of(folder)
        rival = _rival(database, trainer, settings, valid, scores.data_sha256)
    with database.transaction() as tx:
        version = models.keep(tx, settings, config.name, folder, run.id)
        if rival is None or _better(scores, rival, config.validation.metric):
            table.promote(tx, version)
        runs.complete(tx, run, str(version), told)
    return version


def _rival(
    database: Database, trainer: Trainer, settings: Settings, valid: Sequence[Example], data_sha256: str
) -> Scores | None:
    """The current version's scores on this validation file, measured now if they never were."""
    with database.transaction() as tx:
        current = table.current(tx)
    if current is None:
        return None
    known = current.score_on(data_sha256)
    if known is None:
        outcome = trainer.evaluate(models.checkpoint_folder(settings, current), valid, settings.device)
        known = Scores(data_sha256, len(valid), outcome.micro_f1, outcome.auprc)
        with database.transaction() as tx:
            table.add_scores(tx, current, known)
    return known


def _better(scores: Scores, rival: Scores, metric: str) -> bool:
    return bool(getattr(scores, metric) > getattr(rival, metric))
