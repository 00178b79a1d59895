"""A training run that fails, waits, is cancelled or is given back: what it leaves, and what it does not."""

import os

import pytest

from cli.run_text import run_lines, runs_parts
from relex.db import runs
from relex.domain.runs import RunState
from relex.errors import RelexError, ServiceUnreachable
from relex.flows.control import cancel
from relex.flows.status import status
from relex.flows.train import queue, train_next
from relex.lazy import load_trainer
from relex.registry import model_versions
from relex.registry.workspace import remove_stale_workspaces, scratch_dir
from relex.training.recipe.config import TrainingConfig
from tests.flows.fake_training import SECTIONS, FakeTrainer
from tests.processes import ROOT


def test_an_error_ends_the_run_with_its_reason(train):
    run = train(FakeTrainer(error=RelexError("the recipe is wrong")))
    assert (run.state, run.error, run.model) == (RunState.FAILED, "the recipe is wrong", None)


def test_a_model_hub_that_is_away_sends_the_run_back_to_the_queue(database, settings, monkeypatch, tmp_path):
    """By the real trainer and the real download code; at this address nobody listens."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    run_id = queue(database, TrainingConfig.from_dict(SECTIONS | {"backbone": {"name": "klue/roberta-nowhere"}}))
    assert train_next(database, load_trainer("cpu"), settings, lambda: False)
    run = status(database, run_id)
    assert run.state is RunState.QUEUED
    assert run.error.startswith("backbone klue/roberta-nowhere: the model hub does not answer")


def test_a_service_that_does_not_answer_sends_the_run_back_to_the_queue(database, settings, train):
    """As often as it happens: no attempt is counted, the reason is reported, and what was trained before stays."""

    def fetch():
        raise ServiceUnreachable("the hub does not answer; try again")

    away = FakeTrainer(during=fetch)
    run = train(away)
    for _ in range(runs.ATTEMPTS):
        assert (run.state, run.error) == (RunState.QUEUED, "the hub does not answer; try again")
        assert "the hub does not answer" in runs_parts([run])[-1]
        assert any("the hub does not answer" in line for line in map(str, run_lines(run)))
        assert not train_next(database, away, settings, lambda: False), "not before a pause"
        with database.transaction() as tx:
            assert runs.recover(tx) == 0
            tx.exec_driver_sql("UPDATE runs SET not_before = '-infinity'")
        scratch_dir(settings, run.id).rmdir()  # the fake trainer makes it again
        assert train_next(database, away, settings, lambda: False)
        run = status(database, run.id)
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT attempt FROM runs").scalar() == 0
        tx.exec_driver_sql("UPDATE runs SET not_before = '-infinity'")
    scratch_dir(settings, run.id).rmdir()
    assert train_next(database, FakeTrainer(), settings, lambda: False)
    run = status(database, run.id)
    assert (run.state, run.error, run.model) == (RunState.DONE, None, "tiny@1")


@pytest.mark.parametrize("moment", ["during", "at_the_end"])
def test_a_run_that_is_cancelled_leaves_no_version_and_no_file(database, settings, train, moment):
    run = train(FakeTrainer(**{moment: lambda: cancel(database, "@last")}))
    assert (run.state, run.model, run.error) == (RunState.CANCELLED, None, None)
    assert model_versions.every(database) == []
    assert [path.name for path in (settings.home / "models").rglob("*")] == [".unfinished"]


def test_an_error_of_a_run_that_was_cancelled_meanwhile_changes_nothing(database, train):
    def cancel_and_fail():
        cancel(database, "@last")
        raise OSError("the scratch folder is gone")

    assert train(FakeTrainer(during=cancel_and_fail)).state is RunState.CANCELLED
    assert train(FakeTrainer()).state is RunState.DONE


def test_a_worker_that_is_asked_to_end_gives_the_run_back_with_its_scratch_folder(database, settings, monkeypatch):
    monkeypatch.chdir(ROOT)
    run_id = queue(database, TrainingConfig.from_dict(SECTIONS))
    assert train_next(database, FakeTrainer(), settings, lambda: True)
    with database.transaction() as tx:
        assert runs.find(tx, run_id).state is RunState.QUEUED
    assert (settings.home / "models" / ".unfinished" / f"{run_id}.scratch").is_dir()


def test_what_runs_left_that_ended_without_their_worker_is_removed_and_nothing_else(database, settings):
    with database.transaction() as tx:
        ended, waiting, running = (runs.insert_run(tx, "tiny", {}, "/") for _ in range(3))
        tx.exec_driver_sql("UPDATE runs SET seq = DEFAULT WHERE id = %s", (waiting,))
        runs.cancel(tx, runs.find(tx, ended))
        assert runs.claim(tx, "worker", 60).id == running
    unended = settings.home / "models" / ".unfinished"
    gone = [f"{ended}.scratch", ended, f".{ended}.0123", f".{ended}.0123.old"]
    staging = f"tiny-{'0' * 32}"
    kept = [
        staging,
        f"{waiting}.scratch",
        f"{running}.scratch",
        running,
        "r-another.scratch",
        f"tiny-{ended}",
        ".hidden",
    ]
    for name in [*gone, *kept]:
        (unended / name).mkdir(parents=True)
        (unended / name / "checkpoint").touch()
    remove_stale_workspaces(database, settings)
    assert sorted(path.name for path in unended.iterdir()) == sorted(kept)
    os.utime(unended / staging, (0, 0))
    remove_stale_workspaces(database, settings)
    assert not (unended / staging).exists()
