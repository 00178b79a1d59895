"""Searches on a real Postgres, with trainings that give what their settings say, and one that trains."""

import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from relex.db import studies
from relex.errors import InvalidConfig, InvalidInput, RelexError, ServiceUnreachable
from relex.files.reading import read_labelled_examples
from relex.flows.train import load_trainer
from relex.flows.tune import SearchOptions, search
from relex.hints.models import NOTHING_LEARNED
from relex.training.recipe.config import load_config
from relex.tuning.section import load_search
from relex.tuning.study import FIRST_COMPLETE
from tests.processes import ROOT, environment, kill, wait_until

RECIPE = """
backbone:
  scratch: {vocabulary: 1000, hidden_size: 16, layers: 1, heads: 2, intermediate_size: 32}
input: {max_length: 32}
train: {epochs: 3, batch_size: 32, learning_rate: 1.0e-2, precision: fp32}
data: {train: data/train_data.csv, valid: data/valid_data.csv}
search:
"""
GRID = RECIPE + "  {method: grid, space: {loss: {gamma: [0.5, 1.0, 2.0]}, dropout: [0.1, 0.2]}}\n"
RATES = RECIPE + "  {space: {train: {learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}}}}\n"

DISCONNECT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""

PROCESS = """
import sys, time
from pathlib import Path
from relex.db.connection import Database
from relex.flows.tune import SearchOptions, search
from relex.tuning.section import load_search
from tests.db.test_search import Listener, Trainer
url, trials, seconds = sys.argv[1:]

class Slow(Trainer):
    def train(self, config, *arguments):
        Path(f"began-{config.loss.gamma}-{config.dropout}-{time.monotonic_ns()}").touch()
        time.sleep(float(seconds))
        super().train(config, *arguments)

search(Database(url), load_search("mine.yaml"), SearchOptions(int(trials)), Slow, Listener())
"""


class Trainer:
    """Every epoch scores the same: what `score` makes of the recipe; it may raise."""

    def __init__(self, score=lambda config: 50 + config.loss.gamma + config.dropout):
        self.score = score
        self.trained = []

    def train(self, config, train, valid, folder, report, scratch):
        self.trained.append(config)
        history = []
        for epoch in range(1, config.train.epochs + 1):
            history.append({"epoch": epoch, "micro_f1": self.score(config)})
            report({"history": list(history)})

    def __call__(self):
        return self


class Listener:
    """Keeps what it is told."""

    def __init__(self):
        self.known, self.told, self.waited = None, [], False

    def begun(self, number, changes):
        pass

    def joined(self, study, results):
        self.known = len(results)

    def ended(self, result, best):
        self.told.append((result, best))

    def waits(self):
        self.waited = True


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")


@pytest.fixture
def searched(database, database_url):
    """Searches a recipe in a database without studies."""
    execute(database_url, f"DROP SCHEMA IF EXISTS {studies.SCHEMA} CASCADE")

    def run(recipe, trials, trainer=None, listener=None, **options):
        Path("mine.yaml").write_text(recipe, "utf-8")
        wanted = load_search("mine.yaml")
        return search(database, wanted, SearchOptions(trials, **options), trainer or Trainer(), listener or Listener())

    return run


def execute(url, statement):
    libpq = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(libpq, autocommit=True) as connection:
        return (
            connection.execute(statement).fetchall()
            if statement.startswith("SELECT")
            else connection.execute(statement)
        )


@contextmanager
def process(url, trials, seconds):
    """Another process at work on the search in mine.yaml."""
    command = [sys.executable, "-c", PROCESS, url, str(trials), str(seconds)]
    started = subprocess.Popen(command, env=environment(), start_new_session=True)
    try:
        yield started
    finally:
        kill(started)


def began():
    return sorted(path.name.rpartition("-")[0] for path in Path().glob("began-*"))


def test_a_grid_tries_every_combination_once_and_its_best_becomes_a_recipe(searched):
    trainer, listener = Trainer(), Listener()
    outcome = searched(GRID, 99, trainer, listener)
    tried = [(config.loss.gamma, config.dropout) for config in trainer.trained]
    assert tried == [(0.5, 0.1), (0.5, 0.2), (1.0, 0.1), (1.0, 0.2), (2.0, 0.1), (2.0, 0.2)]
    assert (outcome.best.score, outcome.best.changes) == (52.2, {"loss.gamma": 2.0, "dropout": 0.2})
    assert [result.number for result, _ in listener.told] == [0, 1, 2, 3, 4, 5]
    assert outcome.recipe == Path("mine-best.yaml")
    Path("outputs").mkdir()
    assert searched(GRID, 6, output_dir=Path("outputs")).recipe == Path("outputs/mine-best.yaml")
    best = load_config(str(outcome.recipe))
    assert best.to_dict() == trainer.trained[-1].to_dict() | {"name": "mine-best"}


def test_a_real_training_is_searched(searched):
    recipe = GRID + "validation: {metric: auprc}\n"  # so small a model finds no relation at all
    outcome = searched(recipe, 2, partial(load_trainer, "cpu"))
    assert len(outcome.results) == 2
    folder = Path("again")
    history = []
    data = [read_labelled_examples(Path("data", name)) for name in ("train_data.csv", "valid_data.csv")]
    config = load_config(str(outcome.recipe))
    load_trainer("cpu").train(config, *data, folder, lambda told: history.append(told["history"]), Path("scratch"))
    assert max(epoch["auprc"] for epoch in history[-1]) == outcome.best.score


def test_the_same_search_gives_the_same_trials_and_goes_on_where_it_ended(searched):
    whole = searched(RATES, 5, study="whole", out=Path("whole.yaml"))
    parts = Trainer()
    searched(RATES, 2, parts, study="parts")
    listener = Listener()
    resumed = searched(RATES, 5, parts, listener, study="parts")
    assert [result.changes for result in resumed.results] == [result.changes for result in whole.results]
    assert len({result.changes["train.learning_rate"] for result in whole.results}) == 5
    assert (listener.known, len(listener.told), len(parts.trained)) == (2, 3, 5)
    searched(RATES, 5, parts, study="parts")
    assert len(parts.trained) == 5


def test_a_hopeless_trial_is_pruned(searched):
    scores = [60.0] * FIRST_COMPLETE + [10.0, 70.0]
    trainer = Trainer(lambda _: scores[len(trainer.trained) - 1])
    outcome = searched(RATES, FIRST_COMPLETE + 2, trainer)
    assert [result.end for result in outcome.results] == ["done"] * FIRST_COMPLETE + ["pruned", "done"]
    assert (outcome.results[FIRST_COMPLETE].score, outcome.best.score) == (10.0, 70.0)


def test_a_trial_that_fails_does_not_end_the_search(searched):
    def score(config):
        if config.loss.gamma == 1.0:
            raise RelexError("the loss is nan")
        if config.loss.gamma == 2.0:
            raise MemoryError("no room")
        return 50.0

    trainer = Trainer(score)
    outcome = searched(GRID, 6, trainer)
    assert [result.reason for result in outcome.results] == [None] * 2 + ["the loss is nan"] * 2 + [
        "MemoryError('no room')"
    ] * 2
    assert len(trainer.trained) == 6
    assert outcome.best.number == 0


def test_where_all_fail_the_search_fails_and_leaves_no_file(searched):
    def score(_):
        raise RelexError("the loss is nan")

    with pytest.raises(RelexError, match="came to a score; the last one: the loss is nan"):
        searched(GRID, 6, Trainer(score))
    assert not Path("mine-best.yaml").exists()


def test_where_nothing_was_learned_no_recipe_is_written(searched):
    with pytest.raises(RelexError, match=r"the best of 6 trials .* 0\.00: nothing was learned.*\nhint: ") as refusal:
        searched(GRID, 6, Trainer(lambda _: 0.004))
    assert str(refusal.value).endswith(NOTHING_LEARNED)
    assert not Path("mine-best.yaml").exists()


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), SystemExit(143), ServiceUnreachable("the hub is away")])
def test_an_interrupted_trial_is_tried_again(searched, fault):
    def score(config):
        if (config.loss.gamma, config.dropout) == (1.0, 0.1):
            raise fault
        return 50.0

    with pytest.raises(type(fault)):
        searched(GRID, 6, Trainer(score))
    trainer = Trainer()
    outcome = searched(GRID, 6, trainer)
    assert (trainer.trained[0].loss.gamma, trainer.trained[0].dropout) == (1.0, 0.1)
    assert (len(trainer.trained), len(outcome.results)) == (4, 6)


def test_two_processes_share_the_trials_and_do_no_more_than_was_asked_for(searched, database_url):
    Path("mine.yaml").write_text(GRID, "utf-8")
    with process(database_url, 5, 0.3) as one, process(database_url, 5, 0.3) as other:
        assert (one.wait(60), other.wait(60)) == (0, 0)
    assert len(began()) == len(set(began())) == 5
    outcome = searched(GRID, 99)
    assert (len(outcome.results), outcome.best.score) == (6, 52.2)


def test_the_trial_of_a_killed_process_is_tried_again(searched, database_url):
    Path("mine.yaml").write_text(GRID, "utf-8")
    with process(database_url, 6, 100):
        wait_until(lambda: began() == ["began-0.5-0.1"])
    trainer = Trainer()
    outcome = searched(GRID, 6, trainer)
    assert (len(trainer.trained), len(outcome.results)) == (6, 6)
    assert (outcome.results[0].number, outcome.results[0].changes) == (1, {"loss.gamma": 0.5, "dropout": 0.1})


class Killed(BaseException):
    """Leaves as little behind as a kill -9: nobody catches it, and the connection goes."""


def test_values_that_kill_every_process_are_given_up(searched):
    def score(_):
        raise Killed

    for _ in range(3):
        trainer = Trainer(score)
        with pytest.raises(Killed):
            searched(RATES, 2, trainer)
        first = trainer.trained[0]
    trainer = Trainer()
    outcome = searched(RATES, 2, trainer)
    assert [result.reason for result in outcome.results] == ["its process died 3 times; was the memory enough?", None]
    assert outcome.results[0].changes == {"train.learning_rate": first.train.learning_rate}
    assert outcome.results[1].number == 3


def test_one_with_nothing_to_begin_waits_for_the_others(searched, database_url):
    Path("mine.yaml").write_text(GRID, "utf-8")
    listener = Listener()
    with process(database_url, 1, 2) as other:
        wait_until(lambda: len(began()) == 1)
        outcome = searched(GRID, 1, listener=listener)
        other.wait(60)
    assert listener.waited
    assert (listener.told, len(outcome.results)) == ([], 1)


def test_a_broken_connection_costs_no_trial(searched, database_url):
    def score(_):
        execute(database_url, DISCONNECT)
        return 50.0

    trainer = Trainer(score)
    outcome = searched(GRID, 6, trainer)
    assert (len(trainer.trained), len(outcome.results)) == (6, 6)


def test_a_trial_that_was_taken_over_meanwhile_is_not_counted_twice(searched, database_url):
    fast = Trainer()

    def score(_):
        if not fast.trained:
            execute(database_url, DISCONNECT)  # so this process looks dead to the other
            other = threading.Thread(target=searched, args=(GRID, 6, fast))
            other.start()
            other.join()
        return 50.0

    slow = Trainer(score)
    outcome = searched(GRID, 6, slow)
    assert (len(slow.trained), len(fast.trained), len(outcome.results)) == (1, 6, 6)
    assert outcome.best.score == 52.2


def test_another_search_does_not_go_on_with_a_study(searched):
    searched(GRID, 1, study="mine", out=Path("one.yaml"))
    with pytest.raises(InvalidConfig, match="the study mine was begun with another recipe"):
        searched(GRID.replace("epochs: 3", "epochs: 2"), 1, study="mine")
    with pytest.raises(InvalidConfig, match="was begun with another recipe"):
        searched(GRID.replace("[0.1, 0.2]", "[0.1]"), 1, study="mine")
    first, second = searched(GRID, 1), searched(GRID.replace("epochs: 3", "epochs: 2"), 1, out=Path("two.yaml"))
    assert first.study != second.study


def test_a_file_of_somebody_else_is_not_written_over(searched):
    trainer = Trainer()
    Path("mine-best.yaml").write_text("base: base\n")
    with pytest.raises(InvalidInput, match=r"`--out .*-2\.yaml` names another"):
        searched(GRID, 1, trainer)
    with pytest.raises(InvalidInput, match="there is no folder gone"):
        searched(GRID, 1, trainer, out=Path("gone/best.yaml"))
    with pytest.raises(InvalidInput, match="--study"):
        searched(GRID, 1, trainer, study="a\nb")
    assert (trainer.trained, Path("mine-best.yaml").read_text()) == ([], "base: base\n")
    searched(GRID, 1, out=Path("other.yaml"))
    assert searched(GRID, 2, out=Path("other.yaml")).recipe.is_file()


def test_a_recipe_that_somebody_changed_stays(searched):
    written = searched(GRID, 1).recipe
    text = written.read_text("utf-8")
    changed = text.replace("base:", "# mine\nbase:")
    written.write_text(changed, "utf-8")
    trainer = Trainer()
    with pytest.raises(InvalidInput, match=r"is there already and is not an unchanged recipe of the study"):
        searched(GRID, 2, trainer)
    assert (trainer.trained, written.read_text("utf-8")) == ([], changed)
    written.write_text(text, "utf-8")
    assert searched(GRID, 2).recipe == written


def test_a_recipe_that_somebody_puts_there_meanwhile_stays(searched):
    class Slow(Trainer):
        def train(self, *arguments):
            Path("mine-best.yaml").write_text("base: base\n")
            super().train(*arguments)

    assert searched(GRID, 1, Slow()).recipe == Path("mine-best-2.yaml")
    assert Path("mine-best.yaml").read_text() == "base: base\n"


def test_optunas_tables_lie_in_a_schema_of_their_own(searched, database_url):
    before = execute(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    searched(GRID, 1)
    assert execute(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1") == before
    assert execute(database_url, "SELECT count(*) FROM optuna.trials") == [(1,)]


def test_a_score_of_folds_is_the_mean_of_their_best(searched):
    class Folds(Trainer):
        def train(self, config, train, valid, folder, report, scratch):
            history = [{"micro_f1": 40.0}, {"micro_f1": 30.0}]
            report({"fold": 1, "history": history[:1]})
            report({"fold": 1, "history": history})
            report({"fold": 2, "history": [*history, {"micro_f1": 60.0}]})

    assert searched(GRID, 1, Folds()).best.score == 50.0
