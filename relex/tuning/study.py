"""Studies: the trials of a recipe under one search space, shared through Postgres by any number of processes.

Optuna keeps the trials and proposes the values of the next one; this module decides who starts a trial, and when a
trial is stale. Both are decided under locks of Postgres rather than by `optuna.Study.optimize`, `GridSampler`, Optuna's
heartbeat and `RetryHeartbeatStaleTrialCallback`, which were tried with Optuna 5.0 on Postgres:

- The heartbeat thread ends with the first lost connection, while the trial trains on. After the grace period, however
  long it is, another process fails that trial and repeats it, and the first process ends with an `AssertionError`. A
  session lock is free at once after a kill, where every process would have to wait for a long grace period.
- `GridSampler` numbers its combinations by trial, so the repeated trial took the place of a combination: 5 of 6 were
  tried. As its documentation says, two processes may also get the same combination.
- `optimize` counts trials when they end: two processes that were asked for 5 trials together ran 6. It marks an
  interrupted trial as failed, and no sampler or callback of Optuna tries its values again; a `SystemExit`, which
  SIGTERM raises here, is not caught and leaves the trial running.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import optuna
from optuna.trial import FrozenTrial, TrialState

from relex.db import connection, studies
from relex.db.connection import Database, Transaction
from relex.errors import InvalidConfig, ModelNotFound, RelexError, Transient
from relex.hints import jobs as hints
from relex.tuning.space import Changes, Choices, Range, TuningPlan, Value
from relex.tuning.trials import REASON, Trial, TrialEnd, TrialResult, is_retryable, result_of, translate_error

STALE = "stale"
"""Attribute of a trial that failed because its process was gone."""
MAX_STALE_TRIALS = 3
"""Number of stale trials after which their values are not tried again, as when a batch never fits the memory."""
MADE_FROM = "made_from"
"""Attribute of a study: the digest of everything that its trials depend on."""

UNPRUNED_TRIALS = 5
"""Number of trials that are trained to the end before any trial is pruned."""
FIRST_PRUNED_EPOCH = 2
"""First epoch after which a trial may be pruned; the one before is often all warm-up."""


class Study:
    """A study that this process has joined."""

    def __init__(self, database: Database, study: optuna.Study, plan: TuningPlan) -> None:
        self.name = study.study_name
        self._study = study
        self._database = database
        self._plan = plan

    @contextmanager
    def next_trial(self, max_trials: int) -> Iterator[Trial | None]:
        """Start a trial and lock it for the block; yield None if `max_trials` have started or the grid is exhausted.

        When the block is interrupted, the values of the trial are tried again. When the process is killed, Postgres
        drops the lock, so that the other processes see that the trial is stale.
        """
        with ExitStack() as locks:
            with translate_error(self._database), studies.exclusive_transaction(self._database, self.name) as tx:
                trial = self._start_trial(tx, max_trials)
                if trial:
                    locks.enter_context(studies.lock_trial(self._database, self.name, trial.number))
            try:
                yield trial
            except (KeyboardInterrupt, SystemExit, Transient, OSError, ModelNotFound):
                with suppress(RelexError):
                    if trial:
                        trial.release()
                raise

    def is_complete(self, max_trials: int) -> bool:
        """Return whether no trial is left to start or to wait for."""
        ended = len(self.results())
        return ended >= max_trials or (self._plan.method == "grid" and ended >= len(self._plan.combinations()))

    def results(self) -> list[TrialResult]:
        """Return the ended trials in order of their number, without those whose values are tried again."""
        return [result_of(trial) for trial in self._trials() if trial.state.is_finished() and not is_retryable(trial)]

    def best(self) -> TrialResult | None:
        """Return the trial with the best score, the first of several; None if no trial has a score."""
        done = [result for result in self.results() if result.end is TrialEnd.DONE]
        return max(done, key=lambda result: result.score or 0.0, default=None)

    def _trials(self) -> list[FrozenTrial]:
        with translate_error(self._database):
            return self._study.get_trials(deepcopy=False)

    def _start_trial(self, tx: Transaction, max_trials: int) -> Trial | None:
        self._fail_stale_trials(tx)
        trials = self._trials()
        started = [trial for trial in trials if trial.state is not TrialState.WAITING and not is_retryable(trial)]
        if len(started) >= max_trials:
            return None
        # A trial is already waiting if a process was killed between `enqueue_trial` and `ask`.
        if not any(trial.state is TrialState.WAITING for trial in trials):
            values = self._queued_values(trials, started)
            if values is None and self._plan.method == "grid":
                return None
            if values is not None:
                self._study.enqueue_trial(dict(values))
        self._study.sampler = self._sampler(len(trials))
        trial = self._study.ask()
        return Trial(
            self._database,
            self._study,
            trial,
            {key: _suggest(trial, key, values) for key, values in self._plan.space.items()},
        )

    def _queued_values(self, trials: list[FrozenTrial], started: list[FrozenTrial]) -> Changes | None:
        """Return the next values that do not depend on the scores of other trials: of a grid, or to be tried again."""
        keys = set(self._plan.space)
        retryable = [trial.params for trial in trials if is_retryable(trial) and set(trial.params) == keys]
        candidates = self._plan.combinations() if self._plan.method == "grid" else retryable
        tried = [trial.params for trial in started]
        return next((values for values in candidates if values not in tried), None)

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Return a sampler seeded by the trial number, so that resumed and parallel runs repeat no random values."""
        seed = (self._plan.config.train.seed + number) % 2**32
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)

    def _fail_stale_trials(self, tx: Transaction) -> None:
        """End the trials whose processes are gone, which their free locks show."""
        trials = self._trials()
        for trial in trials:
            if trial.state is TrialState.RUNNING and not studies.is_trial_running(tx, self.name, trial.number):
                num_stale = 1 + sum(STALE in other.user_attrs and other.params == trial.params for other in trials)
                # Optuna has no public way to set an attribute of a trial that another process started.
                stale = optuna.Trial(self._study, trial._trial_id)  # noqa: SLF001
                stale.set_user_attr(STALE, True)
                if num_stale >= MAX_STALE_TRIALS:
                    stale.set_user_attr(REASON, f"its process died {num_stale} times; it may have run out of memory")
                self._study.tell(trial.number, state=TrialState.FAIL)


def _suggest(trial: optuna.Trial, key: str, values: Choices | Range) -> Value:
    if isinstance(values, Choices):
        return trial.suggest_categorical(key, values.values)
    if values.whole:
        return trial.suggest_int(key, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(key, values.low, values.high, log=values.log)


@contextmanager
def open_study(database: Database, name: str, plan: TuningPlan, made_from: str) -> Iterator[Study]:
    """Create the study of this name, or join it.

    Args:
        database: relex's database; Optuna's tables are created in it if they are missing.
        name: name of the study.
        plan: recipe and search space of the study.
        made_from: digest of everything that the trials depend on; a study is continued only if it is equal.

    Raises:
        InvalidConfig: the study was created with a different digest.
        DatabaseUnreachable, RelexError: Optuna's tables cannot be reached or created.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # relex prints the trials itself
    studies.ensure_schema(database)
    with translate_error(database), studies.exclusive_transaction(database, studies.SCHEMA):
        storage = _storage(database)
    try:
        with translate_error(database), studies.exclusive_transaction(database, name):
            study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", pruner=_pruner(plan), load_if_exists=True
            )
            if study.user_attrs.get(MADE_FROM, made_from) != made_from:
                raise InvalidConfig(
                    f"the study {name} was created with another recipe, search space or data; "
                    f"{hints.another_study(f'{name}-2')}"
                )
            study.set_user_attr(MADE_FROM, made_from)
        yield Study(database, study, plan)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _storage(database: Database) -> optuna.storages.RDBStorage:
    options = connection.as_options({"search_path": studies.SCHEMA} | connection.VALUE_FORMATS)
    arguments = connection.CLIENT_TIMEOUTS | connection.CONNECT_ARGS | {"options": options}
    # Optuna formats the URL as a template, so braces must be doubled.
    url = database.url.replace("{", "{{").replace("}", "}}")
    return optuna.storages.RDBStorage(url, {"pool_pre_ping": True, "connect_args": arguments})


def _pruner(plan: TuningPlan) -> optuna.pruners.BasePruner:
    """Return the pruner; a grid has none, so that its scores are comparable."""
    if plan.method == "grid":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS, n_warmup_steps=FIRST_PRUNED_EPOCH)
