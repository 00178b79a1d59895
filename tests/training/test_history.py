"""What the logbook says and decides."""

import json

import pytest

from relex.errors import RelexError
from relex.training import history as history_module
from relex.training.history import TrainingHistory
from relex.training.recipe.config import TrainingConfig


def training_history(report=lambda _: None, **train):
    data = {"name": "x", "backbone": {"name": "y"}, "data": {"train": "a", "valid": "b"}}
    return TrainingHistory(TrainingConfig.from_dict(data | {"train": {"epochs": 5} | train}), report)


def scores(micro_f1, auprc=0.0):
    return {"micro_f1": micro_f1, "auprc": auprc}


def test_the_mean_loss_of_an_epoch_weighs_each_step_alike():
    book = training_history()
    book.add_steps(1, 20, 5.0, 1e-3)
    book.add_steps(10, 20, 2.0, 1e-3)
    book.add_epoch(scores(10.0))
    book.add_steps(20, 20, 1.0, 1e-3)
    book.add_epoch(scores(20.0))
    assert [entry["loss"] for entry in book.epochs] == pytest.approx([(5 + 9 * 2) / 10, 1.0])


def test_what_is_fetched_of_a_backbone_is_reported_until_the_first_step(monkeypatch):
    monkeypatch.setattr(history_module, "REPORT_SECONDS", 0)
    output = []
    book = training_history(output.append)
    book.add_download(1_000, 3_000)
    book.add_steps(4, 20, 2.0, 1e-3)
    assert (output[0]["download"], output[0]["step"]) == ({"fetched": 1_000, "total": 3_000}, 0)
    assert "download" not in output[1]


def test_a_report_is_plain_data_of_its_own():
    output = []
    book = training_history(output.append)
    book.add_steps(4, 20, 2.0, 1e-3)
    book.add_epoch(scores(10.0, 5.0))
    book.add_steps(5, 20, 1.5, 9e-4)
    first, second, third = json.loads(json.dumps(output))
    assert first["history"] == []
    assert (first["step"], first["steps"], first["epoch"], first["epochs"]) == (4, 20, 1, 5)
    assert (first["loss"], first["learning_rate"]) == (2.0, 1e-3)
    assert second["history"] == [{"epoch": 1, "loss": 2.0, "micro_f1": 10.0, "auprc": 5.0}]
    assert (third["step"], third["epoch"], third["loss"]) == (5, 2, 1.5)
    assert 0 <= first["seconds"] <= third["seconds"]


def test_the_last_report_counts_no_epoch_too_many():
    output = []
    book = training_history(output.append, epochs=1)
    book.add_steps(4, 4, 2.0, 1e-3)
    book.add_epoch(scores(10.0))
    assert output[-1]["epoch"] == 1


def test_the_first_of_equal_epochs_is_the_best():
    book = training_history()
    bests = []
    for step, score in enumerate([10.0, 30.0, 30.0, 20.0], 1):
        book.add_steps(step, 5, 1.0, 1e-3)
        bests.append(book.add_epoch(scores(score)))
    assert bests == [True, True, False, False]
    assert book.best_epoch == 2


def test_the_recipes_metric_decides():
    data = {"name": "x", "backbone": {"name": "y"}, "data": {"train": "a", "valid": "b"}}
    book = TrainingHistory(TrainingConfig.from_dict(data | {"validation": {"metric": "auprc"}}), lambda _: None)
    book.add_steps(1, 2, 1.0, 1e-3)
    book.add_epoch(scores(10.0, 50.0))
    book.add_steps(2, 2, 1.0, 1e-3)
    assert not book.add_epoch(scores(20.0, 40.0))


def test_patience_runs_out_after_as_many_epochs_without_gain():
    book = training_history(patience=2)
    out = []
    for step, score in enumerate([10.0, 9.0, 11.0, 10.0, 11.0], 1):
        book.add_steps(step, 5, 1.0, 1e-3)
        book.add_epoch(scores(score))
        out.append(book.out_of_patience)
    assert out == [False, False, False, False, True]


def test_without_patience_it_never_runs_out():
    book = training_history()
    for step in range(1, 6):
        book.add_steps(step, 5, 1.0, 1e-3)
        book.add_epoch(scores(10.0 - step))
        assert not book.out_of_patience


def test_a_report_is_not_due_right_after_another(monkeypatch):
    now = 100.0
    monkeypatch.setattr("relex.training.history.time.monotonic", lambda: now)
    book = training_history()
    now = 101.5
    assert book.due
    book.add_steps(1, 5, 1.0, 1e-3)
    assert not book.due
    now = 102.6
    assert book.due


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_training(loss):
    book = training_history()
    with pytest.raises(RelexError, match=r"the loss is (nan|inf) at step 3 of 20: train again with a lower"):
        book.add_steps(3, 20, loss, 1e-3)
