"""The trials of one search, shared through Postgres by all who work on it.

Optuna keeps the trials and proposes the next one's values. Who may begin a trial is decided in one's turn, so two
processes never begin the same one, and never more than were asked for. A trial whose process is gone is told by its
lock (`relex.db.studies`), and its values are tried again.

Begins a study in Postgres, or joins it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import optuna
from optuna.trial import FrozenTrial, TrialState

from relex.db import connection, studies
from relex.db.connection import Database, Transaction
from relex.errors import InvalidConfig, ModelNotFound, RelexError, Transient
from relex.hints import jobs as hints
from relex.tuning.errors import translate_error
from relex.tuning.space import Changes, Choices, Range, Search, Value
from relex.tuning.trials import REASON, Trial, TrialEnd, TrialResult, is_lost, result_of

DIED = "died"
"""The mark on a trial whose process died."""
MOST_DEATHS = 3
"""Values that killed so many processes are not tried again: a batch too large for the memory would go on for ever."""


class Study:
    """One search: what has been tried, and what is to be tried next."""

    def __init__(self, database: Database, study: optuna.Study, search: Search) -> None:
        self.name = study.study_name
        self._study = study
        self._database = database
        self._search = search

    @contextmanager
    def next_trial(self, most: int) -> Iterator[Trial | None]:
        """Begin a trial and hold it for the block; None where `most` are begun or the grid is at its end.

        An interrupted block gives the trial back; a killed process leaves its lock, which tells the others.
        """
        with ExitStack() as held:
            with translate_error(self._database), studies.turn(self._database, self.name) as turn:
                trial = self._begin(turn, most)
                if trial:
                    held.enter_context(studies.hold(self._database, self.name, trial.number))
            try:
                yield trial
            except (KeyboardInterrupt, SystemExit, Transient, OSError, ModelNotFound):
                with suppress(RelexError):
                    if trial:
                        trial.give_back()
                raise

    def is_complete(self, most: int) -> bool:
        """Whether no trial is left to begin or to wait for."""
        ended = len(self.results())
        return ended >= most or (self._search.method == "grid" and ended >= len(self._search.combinations()))

    def results(self) -> list[TrialResult]:
        """The ended trials by number; those that are tried again are left out."""
        return [result_of(trial) for trial in self._trials() if trial.state.is_finished() and not is_lost(trial)]

    def best(self) -> TrialResult | None:
        """The best score; of equal ones the first."""
        done = [result for result in self.results() if result.end is TrialEnd.DONE]
        return max(done, key=lambda result: result.score or 0.0, default=None)

    def _trials(self) -> list[FrozenTrial]:
        with translate_error(self._database):
            return self._study.get_trials(deepcopy=False)

    def _begin(self, turn: Transaction, most: int) -> Trial | None:
        self._bury(turn)
        trials = self._trials()
        begun = [trial for trial in trials if trial.state is not TrialState.WAITING and not is_lost(trial)]
        if len(begun) >= most:
            return None
        if not any(trial.state is TrialState.WAITING for trial in trials):  # left by a kill between here and `ask`
            wanted = self._wanted(trials, begun)
            if wanted is None and self._search.method == "grid":
                return None
            if wanted is not None:
                self._study.enqueue_trial(dict(wanted))
        self._study.sampler = self._sampler(len(trials))
        asked = self._study.ask()
        return Trial(
            self._database,
            self._study,
            asked,
            {key: _suggest(asked, key, values) for key, values in self._search.space.items()},
        )

    def _wanted(self, trials: list[FrozenTrial], begun: list[FrozenTrial]) -> Changes | None:
        """The values to try next, where they do not depend on the others' scores."""
        lost = [trial.params for trial in trials if is_lost(trial) and set(trial.params) == set(self._search.space)]
        candidates = self._search.combinations() if self._search.method == "grid" else lost
        tried = [trial.params for trial in begun]
        return next((values for values in candidates if values not in tried), None)

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Seeded by the trial, so a search that was interrupted, or that several work on, repeats no random values."""
        seed = (self._search.config.train.seed + number) % 2**32
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)

    def _bury(self, turn: Transaction) -> None:
        """End the trials whose processes are gone."""
        trials = self._trials()
        for trial in trials:
            if trial.state is TrialState.RUNNING and not studies.is_held(turn, self.name, trial.number):
                deaths = 1 + sum(DIED in other.user_attrs and other.params == trial.params for other in trials)
                # Optuna has no public way to mark a trial that another process began.
                dead = optuna.Trial(self._study, trial._trial_id)  # noqa: SLF001
                dead.set_user_attr(DIED, True)
                if deaths >= MOST_DEATHS:
                    dead.set_user_attr(REASON, f"its process died {deaths} times; was the memory enough?")
                self._study.tell(trial.number, state=TrialState.FAIL)


def _suggest(asked: optuna.Trial, key: str, values: Choices | Range) -> Value:
    if isinstance(values, Choices):
        return asked.suggest_categorical(key, values.values)
    if values.whole:
        return asked.suggest_int(key, int(values.low), int(values.high), log=values.log)
    return asked.suggest_float(key, values.low, values.high, log=values.log)


MADE_FROM = "made_from"
"""The mark on a study: a digest of what it was begun with."""

FIRST_COMPLETE = 5
"""Trials that are trained to the end before any is pruned."""
FIRST_PRUNED_EPOCH = 2
"""The first epoch, often all warm-up, tells too little."""


@contextmanager
def open_study(database: Database, name: str, search: Search, made_from: str) -> Iterator[Study]:
    """Begin the study of this name, or join it.

    Args:
        database: any of relex's; Optuna's tables are made in it as needed.
        name: of the study.
        search: what it tries.
        made_from: a digest of the search and of all that it reads, by which a study is continued only with its own.

    Raises:
        InvalidConfig: the study was begun with another search.
        DatabaseUnreachable, RelexError: Optuna's tables cannot be had.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # we tell ourselves
    studies.ensure_schema(database)
    with translate_error(database), studies.turn(database, studies.SCHEMA):
        storage = _storage(database)
    try:
        with translate_error(database), studies.turn(database, name):
            found = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", pruner=_pruner(search), load_if_exists=True
            )
            if found.user_attrs.get(MADE_FROM, made_from) != made_from:
                raise InvalidConfig(
                    f"the study {name} was begun with another recipe, search or data; "
                    f"{hints.another_study(f'{name}-2')}"
                )
            found.set_user_attr(MADE_FROM, made_from)
        yield Study(database, found, search)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _storage(database: Database) -> optuna.storages.RDBStorage:
    options = connection.as_options({"search_path": studies.SCHEMA} | connection.EXACT)
    arguments = connection.NOTICE | connection.CONNECTION | {"options": options}
    # Optuna fills its schema's version into braces.
    url = database.url.replace("{", "{{").replace("}", "}}")
    return optuna.storages.RDBStorage(url, {"pool_pre_ping": True, "connect_args": arguments})


def _pruner(search: Search) -> optuna.pruners.BasePruner:
    """A grid shows how the score depends on its settings: every trial of it is trained to the end."""
    if search.method == "grid":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=FIRST_COMPLETE, n_warmup_steps=FIRST_PRUNED_EPOCH)
