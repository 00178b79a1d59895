"""One training run from the queue to a registered version, with a fake trainer on a real Postgres."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cli.run_text import run_lines, runs_parts
from relex.csvfile.source import sha256_of
from relex.db import models as versions
from relex.db import runs
from relex.errors import InvalidCsv, RelexError, ServiceUnreachable
from relex.flows import models, seen_rows
from relex.flows import train as flow
from relex.flows.cancel import cancel
from relex.flows.status import status
from relex.flows.train import load_trainer, queue, train_next
from relex.flows.unfinished import remove_leftovers, scratch_of
from relex.labels import RELATIONS
from relex.model import folder
from relex.runs import RunState, Scores
from relex.settings import Settings
from relex.training.config import TrainingConfig
from tests.processes import ROOT


@dataclass
class FakeTrainer:
    """Fits `relex.flows.train.Trainer`; what it writes depends on its score alone."""

    score: float = 50.0
    rival: float = 40.0
    fault: Exception | None = None
    told: float | None = None
    data: str = "f" * 64
    during: Callable[[], object] = lambda: None
    at_the_end: Callable[[], object] = lambda: None

    def train(self, config, train, valid, folder, report, scratch):
        assert (len(train), len(valid)) == (241, 75)
        scratch.mkdir(parents=True)
        self.during()
        report({"step": 1, "steps": 2, "history": []})
        if self.fault:
            raise self.fault
        write_checkpoint(folder, self.score, self.told, self.data)
        self.at_the_end()

    def evaluate(self, folder, examples):
        return replace(self, score=self.rival)

    @property
    def micro_f1(self):
        return self.score

    auprc = micro_f1


def write_checkpoint(place, score, told=None, data="f" * 64):
    """The same score makes the same weights; `told` is the score on a file with this digest."""
    place.mkdir(parents=True)
    for name in folder.READ_BY_SCORING:
        (place / name).write_text(f"{name} {score}")
    (place / folder.CONFIG).write_text(json.dumps({"id2label": dict(enumerate(RELATIONS)), "score": score}))
    told = score if told is None else told
    found = {"sha256": data, "examples": 75, "micro_f1": told, "auprc": told}
    learned = {"data": [{"file": "train_data.csv", "sha256": sha256_of(ROOT / "data" / "train_data.csv")}]}
    (place / folder.METRICS).write_text(json.dumps({"validation": found, "training": learned}))


SECTIONS = {
    "name": "tiny",
    "backbone": {"scratch": {}},
    "data": {"train": "data/train_data.csv", "valid": "data/valid_data.csv"},
}


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


def current(database):
    with database.transaction() as tx:
        return str(versions.current(tx))


def test_nothing_waits(database, settings):
    assert train_next(database, FakeTrainer(), settings, lambda: False) is False


def test_a_run_becomes_a_version_whose_files_are_found(database, settings, train):
    run = train(FakeTrainer())
    assert (run.state, run.model, run.progress["step"]) == (RunState.DONE, "tiny@1", 1)
    place = models.locate(database, settings, "tiny@1")
    assert place.parent == settings.home / "models" / "tiny"
    assert list((settings.home / "models" / ".unfinished").iterdir()) == []
    assert current(database) == "tiny@1"


def test_files_in_the_encoding_of_the_recipe(database, settings, tmp_path):
    data = {"encoding": "utf-16"}
    for name in ("train", "valid"):
        text = (ROOT / "data" / f"{name}_data.csv").read_text("utf-8-sig")
        data[name] = str(tmp_path / f"{name}.csv")
        Path(data[name]).write_bytes(text.encode("utf-16"))
    with pytest.raises(InvalidCsv, match="hint: --encoding utf-16 reads it"):
        queue(database, TrainingConfig.from_dict(SECTIONS | {"data": data | {"encoding": "utf-8"}}))
    queue(database, TrainingConfig.from_dict(SECTIONS | {"data": data}))
    assert train_next(database, FakeTrainer(), settings, lambda: False)
    assert current(database) == "tiny@1"


def test_only_a_better_version_becomes_current(database, train):
    for score, expected in ((50, "tiny@1"), (40, "tiny@1"), (60, "tiny@3")):
        train(FakeTrainer(score))
        assert current(database) == expected


def test_a_version_knows_its_training_file_and_a_promotion_on_its_rows_is_logged(database, train, monkeypatch, caplog):
    train(FakeTrainer(50))
    with database.transaction() as tx:
        [file] = versions.find(tx, "tiny@1").trained_on
    training = ROOT / "data" / "train_data.csv"
    assert (file.name, file.path, file.sha256) == ("train_data.csv", str(training), sha256_of(training))
    assert "was trained" not in caplog.text
    with database.transaction() as tx:  # as if the validation file had been cut from the training file
        files = json.dumps([{"name": "both.csv", "path": str(ROOT / "data" / "valid_data.csv"), "sha256": file.sha256}])
        tx.exec_driver_sql("UPDATE model_versions SET trained_on = %s", (files,))
    monkeypatch.setattr(seen_rows, "sha256_of", lambda _: file.sha256)
    train(FakeTrainer(60))
    told = "75 of 75 rows here are rows of both.csv, on which tiny@1 was trained: its scores are too high"
    assert [record.message for record in caplog.records if "was trained" in record.message] == [told]
    assert current(database) == "tiny@2"
    train(FakeTrainer(70, data=file.sha256))
    assert "tiny@3 was trained on this file: its scores say nothing about other rows" in caplog.text


def test_a_rival_scored_in_another_precision_is_judged_now(database, train):
    train(FakeTrainer(50))
    with database.transaction() as tx:
        tx.exec_driver_sql("""UPDATE model_versions SET scores = jsonb_set(scores, '{0,precision}', '"default"')""")
    train(FakeTrainer(60, rival=70))
    assert current(database) == "tiny@1"
    with database.transaction() as tx:
        assert [(each.micro_f1, each.precision) for each in versions.find(tx, "tiny@1").scores] == [(70, "fp32")]


def test_a_rival_that_was_never_judged_on_this_file_is_judged_now(database, train):
    train(FakeTrainer(50))
    for rival, expected in ((70, "tiny@1"), (55, "tiny@3")):
        with database.transaction() as tx:
            tx.exec_driver_sql("UPDATE model_versions SET scores = '[]' WHERE current")
        train(FakeTrainer(60 + rival / 100, rival=rival))
        assert current(database) == expected
        with database.transaction() as tx:
            assert versions.find(tx, "tiny@1").scores[0].micro_f1 == rival


def test_the_same_weights_on_another_file_are_judged_by_that_file(database, train):
    train(FakeTrainer(50))
    train(FakeTrainer(60))
    other = "e" * 64
    assert train(FakeTrainer(50, told=10, data=other, rival=40)).model == "tiny@1"
    assert current(database) == "tiny@2"
    with database.transaction() as tx:
        assert versions.find(tx, "tiny@1").score_on(other).micro_f1 == 10
        assert versions.find(tx, "tiny@1").score_on("f" * 64).micro_f1 == 50
        assert versions.find(tx, "tiny@2").score_on(other).micro_f1 == 40


def test_a_registration_whose_answer_was_lost_still_becomes_current(database, train, monkeypatch):
    monkeypatch.setattr(flow, "retry_until_written", lambda write, _: (write(), write())[1])
    assert train(FakeTrainer(50)).model == "tiny@1"
    assert current(database) == "tiny@1"


def test_scores_on_two_files_do_not_drive_each_other_out(database):
    with database.transaction() as tx:
        stale = versions.register(tx, "tiny", RELATIONS, {"config.json": "0"})
        for data in ("a", "b"):
            versions.add_scores(tx, stale, Scores(data, 75, 50.0, 50.0))
        assert [each.data_sha256 for each in versions.find(tx, "tiny").scores] == ["a", "b"]


def test_a_rival_whose_files_are_not_here_does_not_cost_the_new_version(database, train):
    with database.transaction() as tx:
        versions.promote(tx, versions.register(tx, "old", RELATIONS, {"config.json": "0"}))
    run = train(FakeTrainer(50))
    assert (run.state, run.model, current(database)) == (RunState.DONE, "tiny@1", "old@1")


def test_what_an_uncommitted_registration_left_is_taken(database, settings, train):
    train(FakeTrainer())
    place = models.locate(database, settings, "tiny@1")
    with database.transaction() as tx:
        tx.exec_driver_sql("TRUNCATE model_versions CASCADE")
    assert train(FakeTrainer()).model == "tiny@1"
    assert models.locate(database, settings, "tiny@1") == place


def test_the_same_outcome_again_is_the_same_version_and_its_files_stay(database, settings, train):
    train(FakeTrainer())
    place = models.locate(database, settings, "tiny@1")
    inode = (place / folder.WEIGHTS).stat().st_ino
    assert train(FakeTrainer()).model == "tiny@1"
    assert (place / folder.WEIGHTS).stat().st_ino == inode


def test_a_fault_ends_the_run_with_its_reason(train):
    run = train(FakeTrainer(fault=RelexError("the recipe is wrong")))
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
    """As often as it happens: no attempt is counted, the reason is told, and what was trained before stays."""

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
        scratch_of(settings, run.id).rmdir()  # the fake trainer makes it anew
        assert train_next(database, away, settings, lambda: False)
        run = status(database, run.id)
    with database.transaction() as tx:
        assert tx.exec_driver_sql("SELECT attempt FROM runs").scalar() == 0
        tx.exec_driver_sql("UPDATE runs SET not_before = '-infinity'")
    scratch_of(settings, run.id).rmdir()
    assert train_next(database, FakeTrainer(), settings, lambda: False)
    run = status(database, run.id)
    assert (run.state, run.error, run.model) == (RunState.DONE, None, "tiny@1")


@pytest.mark.parametrize("moment", ["during", "at_the_end"])
def test_a_run_that_is_cancelled_leaves_no_version_and_no_file(database, settings, train, moment):
    run = train(FakeTrainer(**{moment: lambda: cancel(database, "@last")}))
    assert (run.state, run.model, run.error) == (RunState.CANCELLED, None, None)
    assert models.every(database) == []
    assert [path.name for path in (settings.home / "models").rglob("*")] == [".unfinished"]


def test_a_fault_of_a_run_that_was_cancelled_meanwhile_changes_nothing(database, train):
    def cancel_and_fail():
        cancel(database, "@last")
        raise OSError("the scratch folder is gone")

    assert train(FakeTrainer(during=cancel_and_fail)).state is RunState.CANCELLED
    assert train(FakeTrainer()).state is RunState.DONE


def test_a_worker_that_is_told_to_end_gives_the_run_back_with_its_scratch_folder(database, settings, monkeypatch):
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
    unfinished = settings.home / "models" / ".unfinished"
    gone = [f"{ended}.scratch", ended, f".{ended}.0123", f".{ended}.0123.old"]
    draft = f"tiny-{'0' * 32}"
    kept = [draft, f"{waiting}.scratch", f"{running}.scratch", running, "r-another.scratch", f"tiny-{ended}", ".hidden"]
    for name in [*gone, *kept]:
        (unfinished / name).mkdir(parents=True)
        (unfinished / name / "checkpoint").touch()
    remove_leftovers(database, settings)
    assert sorted(path.name for path in unfinished.iterdir()) == sorted(kept)
    os.utime(unfinished / draft, (0, 0))
    remove_leftovers(database, settings)
    assert not (unfinished / draft).exists()


def test_an_altered_checkpoint_is_refused(database, settings, train):
    train(FakeTrainer())
    (models.locate(database, settings, "tiny@1") / folder.WEIGHTS).write_text("altered")
    with pytest.raises(RelexError, match="altered since the model was registered"):
        models.locate(database, settings, "tiny@1")


def test_shipped_checkpoints_are_registered_once_and_replaced_by_newer_ones(database, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "SHIPPED", tmp_path / "shipped")
    write_checkpoint(tmp_path / "shipped" / "starter", 1)
    assert not models.shipped_is_registered(database)
    for _ in range(2):
        models.register_shipped(database, settings)
    assert models.shipped_is_registered(database)
    assert current(database) == "starter@1"
    (tmp_path / "shipped" / "starter" / folder.WEIGHTS).write_text("a better one")
    models.register_shipped(database, settings)
    assert current(database) == "starter@2"
    for number in (1, 2):
        assert models.locate(database, settings, f"starter@{number}").is_dir()


def test_what_shipped_under_another_name_gives_way_and_stays_usable(database, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "SHIPPED", tmp_path / "earlier")
    former = tmp_path / "earlier" / "scratch"
    write_checkpoint(former, 1)
    models.register_shipped(database, settings)
    monkeypatch.setattr(models, "FORMER_WEIGHTS", {folder.digests(former)[folder.WEIGHTS]})
    monkeypatch.setattr(models, "SHIPPED", tmp_path / "now")
    write_checkpoint(tmp_path / "now" / "starter", 2)
    models.register_shipped(database, settings)
    assert current(database) == "starter@1"
    assert models.locate(database, settings, "scratch@1").is_dir()


def test_a_version_that_was_trained_here_stays_current(database, settings, tmp_path, monkeypatch, train):
    train(FakeTrainer())
    monkeypatch.setattr(models, "SHIPPED", tmp_path / "shipped")
    for weights in ("first", "second"):
        write_checkpoint(tmp_path / "shipped" / "tiny", 1)
        (tmp_path / "shipped" / "tiny" / folder.WEIGHTS).write_text(weights)
        models.register_shipped(database, settings)
        shutil.rmtree(tmp_path / "shipped")
    assert current(database) == "tiny@1"
