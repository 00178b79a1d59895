"""Hyperparameter tuning of a recipe: trials run until the study has the requested number.

Any number of processes, on any machines with the same database, may work on one study, and any may be killed.
"""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from relex.db.connection import Database
from relex.domain.examples import Example
from relex.errors import DatabaseUnreachable, InvalidInput, LeaseLost, ModelNotFound, RelexError, Transient
from relex.files.atomic import publish_beside, require_writable, staging_file
from relex.files.reading import ReportReading, read_labeled_examples, read_target_examples, report_nothing
from relex.flows.lease import retry_until_written
from relex.flows.train import Trainer
from relex.hints import jobs as hints
from relex.hints.models import ZERO_SCORE_HINT
from relex.training.workspace import digest_of
from relex.tuning.space import TuningPlan, check_name
from relex.tuning.study import Study, open_study
from relex.tuning.trials import Pruned, Trial, TrialResult

STUDY_NAME = r"[A-Za-z0-9_.-]{1,100}"

MIN_SCORE = 0.005
"""Minimum score, x100, of a recipe that is written; a lower one is printed as 0.00."""

POLL_SECONDS = 1.0
"""Interval between checks for trials of other processes, when no trial is left to start."""


@dataclass(frozen=True, slots=True)
class TuningOptions:
    """Options of a study besides its recipe."""

    trials: int
    """Number of trials that the study has in the end, including those of earlier and of other processes."""
    study: str | None = None
    """Name of the study; None: the recipe's name and a digest of everything that the trials depend on."""
    out: Path | None = None
    """File of the best trial's recipe; None: NAME-best.yaml in `output_dir`."""
    output_dir: Path = field(default_factory=Path)
    """Folder of the best trial's recipe if `out` is None."""


@dataclass(frozen=True, slots=True)
class TuningOutcome:
    """The result of a study."""

    study: str
    results: Sequence[TrialResult]
    best: TrialResult
    recipe: Path


class Listener(Protocol):
    """A receiver of the progress of a study."""

    def study_opened(self, study: str, results: Sequence[TrialResult]) -> None:
        """Receive the name of the study, and the trials that ended earlier."""

    def trial_started(self, number: int, changes: Mapping[str, Any]) -> None:
        """Receive the settings of a trial that this process starts."""

    def trial_ended(self, result: TrialResult, best: TrialResult | None) -> None:
        """Receive the result of a trial of this process, and the best result of the study."""

    def waiting(self) -> None:
        """Learn that no trial is left to start, but other processes still run theirs."""


def tune(
    database: Database,
    plan: TuningPlan,
    options: TuningOptions,
    load_trainer: Callable[[], Trainer],
    listener: Listener,
    report: ReportReading = report_nothing,
) -> TuningOutcome:
    """Run trials until the study is complete, and write the recipe of the best one.

    Args:
        database: where the study is.
        plan: the recipe and its search space.
        options: the size and the name of the study.
        load_trainer: returns the trainer; called once the data files were read.
        listener: receives the progress.
        report: receives how each data file was read.

    Raises:
        InvalidCsv: a data file has bad rows or rows without a label.
        InvalidConfig: the study was created with another search space, or the name of the recipe file is not allowed.
        InvalidInput: the recipe file exists with other content, or the name of the study is not allowed.
        RelexError: no trial has a score.
        Transient: Postgres or the model hub cannot be reached; the same call continues the study.
    """
    config = plan.config
    reading = config.data.reading
    train, valid = (read_labeled_examples(path, reading, report) for path in (config.data.train, config.data.valid))
    target = read_target_examples(config.validation.like, reading, report) if config.validation.like else []
    made_from = _study_digest(plan, digest_of(config, train, valid, target))
    name = options.study or f"{config.name}-{made_from[:8]}"
    if not re.fullmatch(STUDY_NAME, name):
        raise InvalidInput(
            f"--study {name!r} should be 1 to 100 letters, digits, _, - and .; {hints.another_study(config.name)}"
        )
    file = options.out or options.output_dir / f"{config.name}-best.yaml"
    _check_free(file, name)
    with open_study(database, name, plan, made_from) as study:
        listener.study_opened(name, study.results())
        worker = _Worker(study, plan, (train, valid), load_trainer(), listener)
        worker.run(options.trials)
        return TuningOutcome(name, study.results(), *_write_best(study, plan, file))


class _Worker:
    """The part of this process in a study."""

    def __init__(
        self,
        study: Study,
        plan: TuningPlan,
        data: tuple[Sequence[Example], Sequence[Example]],
        trainer: Trainer,
        listener: Listener,
    ) -> None:
        self._study = study
        self._plan = plan
        self._data = data
        self._trainer = trainer
        self._listener = listener

    def run(self, max_trials: int) -> None:
        """Run trials while there are any to start, then wait for those of other processes."""
        waiting = False
        while not self._study.is_complete(max_trials):
            with self._study.next_trial(max_trials) as trial:
                if trial:
                    self._run_trial(trial)
            if not trial:
                if not waiting:
                    self._listener.waiting()
                time.sleep(POLL_SECONDS)
            waiting = not trial

    def _run_trial(self, trial: Trial) -> None:
        """Train with the settings of a trial, and store how it ended."""
        self._listener.trial_started(trial.number, trial.changes)
        with suppress(LeaseLost):  # the process that took the trial over reports it
            store_end = self._train(trial)
            retry_until_written(store_end, stopping=lambda: False)
            results = {result.number: result for result in self._study.results()}
            self._listener.trial_ended(results[trial.number], self._study.best())

    def _train(self, trial: Trial) -> Callable[[], None]:
        """Train, and return the call that stores how the trial ended."""
        reporter = _ScoreReporter(trial, self._plan.config.validation.metric)
        try:
            config = self._plan.config_of(trial.changes)
            with tempfile.TemporaryDirectory() as path:
                folder = Path(path)
                self._trainer.train(config, *self._data, folder / "checkpoint", reporter.report, folder / "scratch")
        except Pruned:
            return trial.prune
        except (LeaseLost, Transient, OSError, ModelNotFound):
            raise  # not caused by these values: they are tried again, and this process stops
        except Exception as error:  # noqa: BLE001 - whatever these values cause fails one trial, not the study
            reason = str(error) if isinstance(error, RelexError) else repr(error)
            return lambda: trial.fail(reason)
        return lambda: trial.finish(reporter.best)


class _ScoreReporter:
    """The progress reports of a training, passed to its trial epoch by epoch."""

    def __init__(self, trial: Trial, metric: str) -> None:
        self._trial = trial
        self._metric = metric
        self._num_reported = 0
        self._best: dict[int, float] = {}
        """Best score of each fold."""

    @property
    def best(self) -> float:
        """Score of the best epoch, as the mean of the folds."""
        return sum(self._best.values()) / len(self._best)

    def report(self, progress: Mapping[str, Any]) -> None:
        """Report the scores of the new epochs.

        Raises:
            Pruned, LeaseLost: the training should stop here.
        """
        fold = progress.get("fold", 1)
        for entry in progress["history"][self._num_reported :]:
            self._num_reported += 1
            score = entry[self._metric]
            self._best[fold] = max(score, self._best.get(fold, score))
            with suppress(DatabaseUnreachable):  # no trial is pruned after this epoch then
                self._trial.report(self._num_reported, score)


def _study_digest(plan: TuningPlan, made_from: str) -> str:
    return hashlib.sha256(repr((made_from, plan.method, dict(plan.space))).encode()).hexdigest()


def _comment(study: str) -> str:
    return f"The best trial of the study {study}:"


def _add_checksum(recipe: str) -> str:
    """Return a recipe whose first line, a comment, also holds the checksum of the other lines."""
    comment, _, rest = recipe.partition("\n")
    return f"{comment} SHA-256 of the rest: {hashlib.sha256(rest.encode()).hexdigest()}\n{rest}"


def _is_own(file: Path, study: str) -> bool:
    """Return whether a file is an earlier recipe of the study that nobody has changed."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    comment, _, rest = text.partition("\n")
    bare = comment.rpartition(" SHA-256 of the rest:")[0]
    return text.startswith(f"# {_comment(study)}") and _add_checksum(f"{bare}\n{rest}") == text


def _check_free(file: Path, study: str) -> None:
    """Reject, before any trial, a file that is not an unchanged earlier recipe of the same study."""
    check_name(file)
    if not file.parent.is_dir():
        raise InvalidInput(f"{file}: the folder {file.parent} does not exist; {hints.make_folder(file.parent)}")
    require_writable(file.parent)
    if os.path.lexists(file) and not _is_own(file, study):
        other = hints.recipe_file(file.with_stem(f"{file.stem}-2"))
        raise InvalidInput(f"{file} exists and is not an unchanged recipe of the study {study}; {other}")


def _write_best(study: Study, plan: TuningPlan, file: Path) -> tuple[TrialResult, Path]:
    """Write the recipe of the best trial.

    A file that appeared in the meantime stays, and the name of the recipe gets a number.

    Returns:
        The best trial, and the file.
    """
    best = study.best()
    results = study.results()
    if best is None:
        cause = next((result.reason for result in reversed(results) if result.reason), "all were pruned")
        raise RelexError(
            f"no trial of the study {study.name} has a score; the last one: {cause}\n"
            f"fix the cause, then tune again; {hints.another_study(f'{study.name}-2')}"
        )
    metric = plan.config.validation.metric
    if best.score is None or best.score < MIN_SCORE:
        raise RelexError(
            f"the best of {len(results)} trials of the study {study.name} has {metric} 0.00: nothing was learned, so "
            f"{file} is not written\n{ZERO_SCORE_HINT}"
        )
    comment = f"{_comment(study.name)} number {best.number} of {len(results)}, {metric} {best.score:.2f}."
    with staging_file(file) as (staging, stream):
        stream.write(_add_checksum(plan.to_recipe(best.changes, comment, file)).encode())
        stream.flush()
        if _is_own(file, study.name):
            return best, staging.replace(file)
        return best, publish_beside(staging, file)
