"""Fixtures of several modules: a server that asks for a password, a doctor, a study, a training."""

import time
from pathlib import Path

import psycopg
import pytest

from relex.db import runs, studies
from relex.flows.checks.result import State
from relex.flows.doctor import examine
from relex.flows.train import queue, train_next
from relex.flows.tune import TuningOptions, tune
from relex.settings import Settings
from relex.training.recipe.config import TrainingConfig
from relex.tuning.section import load_tuning_plan
from tests.db.fake_training import SECTIONS
from tests.db.own_services import PASSWORD, own_postgres
from tests.db.tuning import Listener, Trainer, execute
from tests.processes import ROOT


@pytest.fixture(scope="module")
def strict_url(tmp_path_factory):
    """A Postgres of this module's own, which asks for a password."""
    with own_postgres(tmp_path_factory.mktemp("strict") / "home") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        yield url


@pytest.fixture
def look(tmp_path):
    """The findings that are not ok, by name; nothing tells the password."""

    def found(*, clock=time.time, **settings):
        findings = list(examine(Settings(**{"home": tmp_path / "home", "device": "cpu"} | settings), clock))
        assert PASSWORD not in str(findings)
        return {finding.name: finding for finding in findings if finding.state is not State.OK}

    return found


@pytest.fixture
def run_study(database, database_url, tmp_path, monkeypatch):
    """Tune a recipe in a database without studies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    execute(database_url, f"DROP SCHEMA IF EXISTS {studies.SCHEMA} CASCADE")

    def run(recipe, trials, trainer=None, listener=None, **options):
        Path("mine.yaml").write_text(recipe, "utf-8")
        plan = load_tuning_plan("mine.yaml")
        return tune(database, plan, TuningOptions(trials, **options), trainer or Trainer(), listener or Listener())

    return run


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


@pytest.fixture
def train(database, settings, monkeypatch):
    """Queue a run and execute it with a trainer; gives the run as it then is."""
    monkeypatch.chdir(ROOT)

    def train(trainer):
        run_id = queue(database, TrainingConfig.from_dict(SECTIONS))
        monkeypatch.chdir("/")
        assert train_next(database, trainer, settings, lambda: False)
        monkeypatch.chdir(ROOT)
        with database.transaction() as tx:
            return runs.find(tx, run_id)

    return train
