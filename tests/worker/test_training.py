"""Training under Celery: beside the children that score, one run at a time, ended with its worker."""

import os
import signal
import subprocess
import sys

import pytest

from relex.db import runs
from relex.domain.runs import RunState
from relex.flows.status import job_status, newest_runs, status
from relex.flows.train import queue
from relex.settings import Settings
from relex.training.recipe.config import TrainingConfig
from tests.factories import make_job, register_model
from tests.processes import ROOT, environment, started, wait_until
from worker import training

ENDLESS = {
    "name": "tiny",
    "backbone": {"scratch": {"vocabulary": 1000, "hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 32}},
    "input": {"max_length": 48},
    "train": {"epochs": 1_000, "precision": "fp32"},
    "data": {"train": "data/train_data.csv", "valid": "data/valid_data.csv"},
}


DEAF = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""


@pytest.fixture
def env(database_url, broker_url, tmp_path):
    """Of a worker whose leases outlast the test: what it gives back, it gives back by itself."""
    services = {"database_url": database_url, "broker_url": broker_url, "home": tmp_path / "home"}
    return environment(**services, lease_seconds=600, sweep_seconds=0.3, scorer="tests.factories:FakeScorer")


@pytest.fixture
def two_runs(database, monkeypatch):
    monkeypatch.chdir(ROOT)
    return [queue(database, TrainingConfig.from_dict(ENDLESS)) for _ in range(2)]


def states(database):
    return sorted(run.state for run in newest_runs(database, 10))


@pytest.mark.usefixtures("two_runs")
def test_a_worker_trains_one_run_while_it_scores_and_gives_it_back_when_it_ends(database, env, tmp_path):
    register_model(database, tmp_path / "home")
    with started("worker", "--concurrency", "1", env=env, log=tmp_path / "worker.log") as process:
        wait_until(lambda: states(database) == [RunState.QUEUED, RunState.RUNNING])
        job = make_job(database, rows=40)
        wait_until(lambda: job_status(database, job.id).state.ended)
        assert states(database) == [RunState.QUEUED, RunState.RUNNING]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert states(database) == [RunState.QUEUED, RunState.QUEUED]
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT sum(attempt) FROM runs").scalar() == 0


def test_a_training_process_that_does_not_stop_is_killed(monkeypatch, tmp_path):
    """Its slot must not be lost, nor may the end of its worker wait forever."""
    monkeypatch.setattr(training, "STOP_SECONDS", 0.2)
    processes = training.TrainingProcesses(Settings(home=tmp_path))
    ready = tmp_path / "ready"
    process = subprocess.Popen([sys.executable, "-c", DEAF, str(ready)])
    processes._running.append(process)
    wait_until(ready.exists)
    processes.stop()
    assert process.returncode == -signal.SIGKILL


def test_a_training_process_that_makes_no_progress_ends_and_frees_its_slot(database, env, tmp_path, two_runs):
    """Reading its data and importing torch takes longer than it may be stalled here."""
    log = tmp_path / "worker.log"
    hasty = env | {"RELEX_TRAIN_STALL_SECONDS": "0.1", "RELEX_LEASE_SECONDS": "0.3"}
    with started("worker", "--queues", "train", env=hasty, log=log):
        wait_until(lambda: log.read_text().count("the lease is given up") == 2)
    assert not any(status(database, run).state.ended for run in two_runs)


@pytest.mark.usefixtures("two_runs")
def test_a_worker_trains_as_many_runs_as_it_was_reported_and_they_do_not_outlive_it(database, env, tmp_path):
    log = tmp_path / "worker.log"
    with started("worker", "--queues", "train", "--concurrency", "2", env=env, log=log) as process:
        wait_until(lambda: states(database) == [RunState.RUNNING, RunState.RUNNING])
        with database.transaction() as tx:
            assert len(set(tx.exec_driver_sql("SELECT worker FROM runs").scalars())) == 2
            assert runs.claimable(tx) == 0
        os.kill(process.pid, signal.SIGKILL)  # the parent alone
        wait_until(lambda: states(database) == [RunState.QUEUED, RunState.QUEUED])
