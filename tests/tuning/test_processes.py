"""Processes that share a study, die, lose their connection or are interrupted: no trial is lost or counted twice."""

import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from relex.errors import ServiceUnreachable
from tests.processes import environment, kill, wait_until
from tests.tuning.studies import GRID, RATES, Listener, Trainer, execute

DISCONNECT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


PROCESS = """
import sys, time
from pathlib import Path
from relex.db.connection import Database
from relex.flows.tune import TuningOptions, tune
from relex.tuning.section import load_tuning_plan
from tests.tuning.studies import Listener, Trainer
url, trials, seconds = sys.argv[1:]

class Slow(Trainer):
    def train(self, config, *arguments):
        Path(f"started-{config.loss.gamma}-{config.dropout}-{time.monotonic_ns()}").touch()
        time.sleep(float(seconds))
        super().train(config, *arguments)

tune(Database(url), load_tuning_plan("mine.yaml"), TuningOptions(int(trials)), Slow, Listener())
"""


@contextmanager
def other_process(url, trials, seconds):
    """Run the study of mine.yaml in another process."""
    command = [sys.executable, "-c", PROCESS, url, str(trials), str(seconds)]
    process = subprocess.Popen(command, env=environment(), start_new_session=True)
    try:
        yield process
    finally:
        kill(process)


def started():
    return sorted(path.name.rpartition("-")[0] for path in Path().glob("started-*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), ServiceUnreachable("the hub is away")])
def test_an_interrupted_trial_is_tried_again(run_study, error):
    def score(config):
        if (config.loss.gamma, config.dropout) == (1.0, 0.1):
            raise error
        return 50.0

    with pytest.raises(type(error)):
        run_study(GRID, 6, Trainer(score))
    trainer = Trainer()
    outcome = run_study(GRID, 6, trainer)
    assert (trainer.trained[0].loss.gamma, trainer.trained[0].dropout) == (1.0, 0.1)
    assert (len(trainer.trained), len(outcome.results)) == (4, 6)


def test_two_processes_share_the_trials_and_do_no_more_than_was_asked_for(run_study, database_url):
    Path("mine.yaml").write_text(GRID, "utf-8")
    with other_process(database_url, 5, 0.3) as one, other_process(database_url, 5, 0.3) as other:
        assert (one.wait(60), other.wait(60)) == (0, 0)
    assert len(started()) == len(set(started())) == 5
    outcome = run_study(GRID, 99)
    assert (len(outcome.results), outcome.best.score) == (6, 52.2)


def test_the_trial_of_a_killed_process_is_tried_again(run_study, database_url):
    Path("mine.yaml").write_text(GRID, "utf-8")
    with other_process(database_url, 6, 100):
        wait_until(lambda: started() == ["started-0.5-0.1"])
    trainer = Trainer()
    outcome = run_study(GRID, 6, trainer)
    assert (len(trainer.trained), len(outcome.results)) == (6, 6)
    assert (outcome.results[0].number, outcome.results[0].changes) == (1, {"loss.gamma": 0.5, "dropout": 0.1})


class Killed(BaseException):
    """An exception with the effect of `kill -9`: nothing catches it, and the connection closes."""


def test_values_that_kill_three_processes_are_not_tried_again(run_study):
    def score(_):
        raise Killed

    for _ in range(3):
        trainer = Trainer(score)
        with pytest.raises(Killed):
            run_study(RATES, 2, trainer)
        first = trainer.trained[0]
    trainer = Trainer()
    outcome = run_study(RATES, 2, trainer)
    assert [result.reason for result in outcome.results] == [
        "its process died 3 times; it may have run out of memory",
        None,
    ]
    assert outcome.results[0].changes == {"train.learning_rate": first.train.learning_rate}
    assert outcome.results[1].number == 3


def test_a_process_with_no_trial_to_start_waits_for_the_others(run_study, database_url):
    Path("mine.yaml").write_text(GRID, "utf-8")
    listener = Listener()
    with other_process(database_url, 1, 2) as other:
        wait_until(lambda: len(started()) == 1)
        outcome = run_study(GRID, 1, listener=listener)
        other.wait(60)
    assert listener.waited
    assert (listener.results, len(outcome.results)) == ([], 1)


def test_a_broken_connection_costs_no_trial(run_study, database_url):
    def score(_):
        execute(database_url, DISCONNECT)
        return 50.0

    trainer = Trainer(score)
    outcome = run_study(GRID, 6, trainer)
    assert (len(trainer.trained), len(outcome.results)) == (6, 6)


def test_a_trial_that_was_taken_over_meanwhile_is_not_counted_twice(run_study, database_url):
    fast = Trainer()

    def score(_):
        if not fast.trained:
            execute(database_url, DISCONNECT)  # so this process looks dead to the other
            other = threading.Thread(target=run_study, args=(GRID, 6, fast))
            other.start()
            other.join()
        return 50.0

    slow = Trainer(score)
    outcome = run_study(GRID, 6, slow)
    assert (len(slow.trained), len(fast.trained), len(outcome.results)) == (1, 6, 6)
    assert outcome.best.score == 52.2
