"""Processes that search together, die, lose their connection or are interrupted: no trial is lost or counted twice."""

import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from relex.errors import ServiceUnreachable
from tests.db.tuning import GRID, RATES, Listener, Trainer, execute
from tests.processes import environment, kill, wait_until

DISCONNECT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


PROCESS = """
import sys, time
from pathlib import Path
from relex.db.connection import Database
from relex.flows.tune import SearchOptions, search
from relex.tuning.section import load_search
from tests.db.tuning import Listener, Trainer
url, trials, seconds = sys.argv[1:]

class Slow(Trainer):
    def train(self, config, *arguments):
        Path(f"began-{config.loss.gamma}-{config.dropout}-{time.monotonic_ns()}").touch()
        time.sleep(float(seconds))
        super().train(config, *arguments)

search(Database(url), load_search("mine.yaml"), SearchOptions(int(trials)), Slow, Listener())
"""


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
