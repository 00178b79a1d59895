"""One training run from the queue to a registered version, with a fake trainer on a real Postgres."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cli.run_text import promotion_sentence, run_lines
from relex.db import model_versions as versions
from relex.domain.runs import RunState
from relex.domain.versions import Scores
from relex.errors import InvalidCsv, RelexError
from relex.files.paths import sha256_of
from relex.flows import train as flow
from relex.flows import training_overlap
from relex.flows.train import queue, train_next
from relex.labels import RELATIONS
from relex.model import folder
from relex.registry import model_versions
from relex.training.recipe.config import TrainingConfig
from tests.flows.fake_training import SECTIONS, FakeTrainer, current
from tests.processes import ROOT


def test_nothing_waits(database, settings):
    assert train_next(database, FakeTrainer(), settings, lambda: False) is False


def test_a_run_becomes_a_version_whose_files_are_found(database, settings, train):
    run = train(FakeTrainer())
    assert (run.state, run.model, run.progress["step"]) == (RunState.DONE, "tiny@1", 1)
    place = model_versions.locate(database, settings, "tiny@1")
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
    for score, expected, sentence in (
        (50, "tiny@1", "tiny@1 is now current: no other version was current"),
        (40, "tiny@1", "tiny@2 is not current: 40.00 <= 50.00 micro-F1 on valid_data.csv, against tiny@1"),
        (60, "tiny@3", "tiny@3 is now current: 60.00 > 50.00 micro-F1 on valid_data.csv, against tiny@1"),
    ):
        run = train(FakeTrainer(score))
        assert current(database) == expected
        assert promotion_sentence(run) == sentence
        assert f"  {sentence}" in run_lines(replace(run, progress={"promotion": run.progress["promotion"]}))


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
    monkeypatch.setattr(training_overlap, "sha256_of", lambda _: file.sha256)
    train(FakeTrainer(60))
    report = "75 of 75 rows also occur in both.csv, which tiny@1 was trained on: the scores are inflated"
    assert [record.message for record in caplog.records if "was trained" in record.message] == [report]
    assert current(database) == "tiny@2"
    train(FakeTrainer(70, data=file.sha256))
    assert "tiny@3 was trained on this file: its scores do not show how it generalizes" in caplog.text


def test_a_rival_scored_in_another_precision_is_evaluated_now(database, train):
    train(FakeTrainer(50))
    with database.transaction() as tx:
        tx.exec_driver_sql("""UPDATE model_versions SET scores = jsonb_set(scores, '{0,precision}', '"default"')""")
    train(FakeTrainer(60, rival=70))
    assert current(database) == "tiny@1"
    with database.transaction() as tx:
        assert [(each.micro_f1, each.precision) for each in versions.find(tx, "tiny@1").scores] == [(70, "fp32")]


def test_a_rival_that_was_never_evaluated_on_this_file_is_evaluated_now(database, train):
    train(FakeTrainer(50))
    for rival, expected in ((70, "tiny@1"), (55, "tiny@3")):
        with database.transaction() as tx:
            tx.exec_driver_sql("UPDATE model_versions SET scores = '[]' WHERE current")
        train(FakeTrainer(60 + rival / 100, rival=rival))
        assert current(database) == expected
        with database.transaction() as tx:
            assert versions.find(tx, "tiny@1").scores[0].micro_f1 == rival


def test_the_same_weights_on_another_file_are_evaluated_by_that_file(database, train):
    train(FakeTrainer(50))
    train(FakeTrainer(60))
    other = "e" * 64
    assert train(FakeTrainer(50, reported=10, data=other, rival=40)).model == "tiny@1"
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
    assert promotion_sentence(run).startswith("tiny@1 is not current: old@1 could not be evaluated: ")


def test_what_an_uncommitted_registration_left_is_taken(database, settings, train):
    train(FakeTrainer())
    place = model_versions.locate(database, settings, "tiny@1")
    with database.transaction() as tx:
        tx.exec_driver_sql("TRUNCATE model_versions CASCADE")
    assert train(FakeTrainer()).model == "tiny@1"
    assert model_versions.locate(database, settings, "tiny@1") == place


def test_the_same_outcome_again_is_the_same_version_and_its_files_stay(database, settings, train):
    train(FakeTrainer())
    place = model_versions.locate(database, settings, "tiny@1")
    inode = (place / folder.WEIGHTS).stat().st_ino
    assert train(FakeTrainer()).model == "tiny@1"
    assert (place / folder.WEIGHTS).stat().st_ino == inode


def test_an_altered_checkpoint_is_refused(database, settings, train):
    train(FakeTrainer())
    (model_versions.locate(database, settings, "tiny@1") / folder.WEIGHTS).write_text("altered")
    with pytest.raises(RelexError, match="altered since the model was registered"):
        model_versions.locate(database, settings, "tiny@1")
