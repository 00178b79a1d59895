"""Searching for better settings: trials of a recipe, one after another, until the study has as many as were asked for.

Any number of processes may work on one study, here or elsewhere, and any of them may be killed.
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
from relex.files.atomic import drafting, publish_beside, require_writable
from relex.files.reading import read_labelled_examples, read_whole
from relex.flows.lease import retry_until_written
from relex.flows.train import Trainer
from relex.hints import jobs as hints
from relex.hints.models import NOTHING_LEARNED
from relex.training.workspace import digest_of
from relex.tuning.space import Search, check_name
from relex.tuning.study import Study, open_study
from relex.tuning.trials import Pruned, Trial, TrialResult

STUDY_NAME = r"[A-Za-z0-9_.-]{1,100}"

MIN_SCORE = 0.005
"""Minimum score, x100, of a recipe that is worth writing: less reads as 0.00."""

POLL_SECONDS = 1.0
"""How often one with nothing to begin looks after the trials of others."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What a person wants of a search beside its recipe."""

    trials: int
    """How many ended trials the study shall have in all, those of earlier and of other processes among them."""
    study: str | None = None
    """Its name; None: one made of the recipe's name and of a digest of all that the trials depend on."""
    out: Path | None = None
    """Where the best trial's recipe goes; None: NAME-best.yaml in `output_dir`."""
    output_dir: Path = field(default_factory=Path)
    """Folder of a recipe whose file `out` does not name."""


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What a study came to."""

    study: str
    results: Sequence[TrialResult]
    best: TrialResult
    recipe: Path


class Listener(Protocol):
    """Is told what happens."""

    def joined(self, study: str, results: Sequence[TrialResult]) -> None:
        """The study is open; these trials had ended before."""

    def begun(self, number: int, changes: Mapping[str, Any]) -> None:
        """A trial of this process trains with these settings."""

    def ended(self, result: TrialResult, best: TrialResult | None) -> None:
        """A trial of this process has ended; `best` is the study's."""

    def waits(self) -> None:
        """Nothing is left to begin, but others have not ended theirs."""


def search(
    database: Database, wanted: Search, options: SearchOptions, trainer: Callable[[], Trainer], listener: Listener
) -> SearchOutcome:
    """Run trials until the study is complete, and write the best one's recipe.

    Raises:
        InvalidCsv: a data file has bad rows or rows without a label.
        InvalidConfig: the study was begun with another search, or the recipe's file cannot go by its name.
        InvalidInput: another file stands where the recipe shall go, or the study cannot be named so.
        RelexError: no trial came to a score.
        Transient: Postgres or the model hub went away; the same call goes on.
    """
    config = wanted.config
    encoding = config.data.encoding
    train, valid = (read_labelled_examples(path, encoding) for path in (config.data.train, config.data.valid))
    target = read_whole(config.validation.like, encoding) if config.validation.like else []
    made_from = _digest(wanted, digest_of(config, train, valid, target))
    name = options.study or f"{config.name}-{made_from[:8]}"
    if not re.fullmatch(STUDY_NAME, name):
        raise InvalidInput(
            f"--study {name!r} should be 1 to 100 letters, digits, _, - and .; {hints.another_study(config.name)}"
        )
    file = options.out or options.output_dir / f"{config.name}-best.yaml"
    _check_free(file, name)
    with open_study(database, name, wanted, made_from) as study:
        listener.joined(name, study.results())
        worker = _Worker(study, wanted, (train, valid), trainer(), listener)
        worker.run(options.trials)
        return SearchOutcome(name, study.results(), *_write_best(study, wanted, file))


class _Worker:
    """This process at work on a study."""

    def __init__(
        self,
        study: Study,
        wanted: Search,
        data: tuple[Sequence[Example], Sequence[Example]],
        trainer: Trainer,
        listener: Listener,
    ) -> None:
        self._study = study
        self._wanted = wanted
        self._data = data
        self._trainer = trainer
        self._listener = listener

    def run(self, most: int) -> None:
        """Begin trials while there are any to begin, then wait for those of others."""
        waiting = False
        while not self._study.is_complete(most):
            with self._study.next_trial(most) as trial:
                if trial:
                    self._run(trial)
            if not trial:
                if not waiting:
                    self._listener.waits()
                time.sleep(POLL_SECONDS)
            waiting = not trial

    def _run(self, trial: Trial) -> None:
        """Train, and end the trial however that went."""
        self._listener.begun(trial.number, trial.changes)
        with suppress(LeaseLost):  # another process tells of it
            end = self._end_of(trial)
            retry_until_written(end, stopping=lambda: False)
            results = {result.number: result for result in self._study.results()}
            self._listener.ended(results[trial.number], self._study.best())

    def _end_of(self, trial: Trial) -> Callable[[], None]:
        """What to write about the trial once it is trained."""
        scores = _Scores(trial, self._wanted.config.validation.metric)
        try:
            config = self._wanted.config_of(trial.changes)
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                self._trainer.train(config, *self._data, folder / "checkpoint", scores.report, folder / "scratch")
        except Pruned:
            return trial.prune
        except (LeaseLost, Transient, OSError, ModelNotFound):
            raise  # no fault of these values: they are given back, and the search ends
        except Exception as fault:  # noqa: BLE001 - values that exhaust a device's memory are a bad trial, no bad search
            reason = str(fault) if isinstance(fault, RelexError) else repr(fault)
            return lambda: trial.fail(reason)
        return lambda: trial.finish(scores.best)


class _Scores:
    """What a training reports, told to its trial epoch by epoch."""

    def __init__(self, trial: Trial, metric: str) -> None:
        self._trial = trial
        self._metric = metric
        self._told = 0
        self._best: dict[int, float] = {}
        """By fold."""

    @property
    def best(self) -> float:
        """The best epoch's score; the folds' mean of it."""
        return sum(self._best.values()) / len(self._best)

    def report(self, progress: Mapping[str, Any]) -> None:
        """Tell the epochs that are new.

        Raises:
            Pruned, LeaseLost: the training should end here.
        """
        fold = progress.get("fold", 1)
        for entry in progress["history"][self._told :]:
            self._told += 1
            score = entry[self._metric]
            self._best[fold] = max(score, self._best.get(fold, score))
            with suppress(DatabaseUnreachable):  # then this epoch prunes nothing
                self._trial.report(self._told, score)


def _digest(wanted: Search, made_from: str) -> str:
    return hashlib.sha256(repr((made_from, wanted.method, dict(wanted.space))).encode()).hexdigest()


def _comment(study: str) -> str:
    return f"The best trial of the study {study}:"


def _sealed(recipe: str) -> str:
    """A recipe whose first line, a comment, also holds the digest of the others."""
    comment, _, rest = recipe.partition("\n")
    return f"{comment} SHA-256 of the rest: {hashlib.sha256(rest.encode()).hexdigest()}\n{rest}"


def _is_own(file: Path, study: str) -> bool:
    """Whether a file is an earlier answer of the study, which nobody has changed since."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    comment, _, rest = text.partition("\n")
    bare = comment.rpartition(" SHA-256 of the rest:")[0]
    return text.startswith(f"# {_comment(study)}") and _sealed(f"{bare}\n{rest}") == text


def _check_free(file: Path, study: str) -> None:
    """Refuse to write over anything but an earlier answer of the same study, before hours go by."""
    check_name(file)
    if not file.parent.is_dir():
        raise InvalidInput(f"{file}: there is no folder {file.parent}; {hints.make_folder(file.parent)}")
    require_writable(file.parent)
    if os.path.lexists(file) and not _is_own(file, study):
        other = hints.recipe_file(file.with_stem(f"{file.stem}-2"))
        raise InvalidInput(f"{file} is there already and is not an unchanged recipe of the study {study}; {other}")


def _write_best(study: Study, wanted: Search, file: Path) -> tuple[TrialResult, Path]:
    """Write the recipe, beside what somebody put there in the meantime; the best trial and the file."""
    best = study.best()
    results = study.results()
    if best is None:
        why = next((result.reason for result in reversed(results) if result.reason), "all were pruned")
        raise RelexError(
            f"no trial of the study {study.name} came to a score; the last one: {why}\n"
            f"fix the cause, then search again; {hints.another_study(f'{study.name}-2')}"
        )
    metric = wanted.config.validation.metric
    if best.score is None or best.score < MIN_SCORE:
        raise RelexError(
            f"the best of {len(results)} trials of the study {study.name} has {metric} 0.00: nothing was learned, so "
            f"{file} is not written\n{NOTHING_LEARNED}"
        )
    comment = f"{_comment(study.name)} number {best.number} of {len(results)}, {metric} {best.score:.2f}."
    with drafting(file) as (draft, written):
        written.write(_sealed(wanted.to_recipe(best.changes, comment, file)).encode())
        written.flush()
        if _is_own(file, study.name):
            return best, draft.replace(file)
        return best, publish_beside(draft, file)
