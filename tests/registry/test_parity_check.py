"""The parity check before 16 bit: measured by real scorers, kept in the checkpoint, obeyed by the scorer."""

import json
import logging
from dataclasses import asdict, replace

import pytest
import torch
from transformers import DistilBertConfig

from relex.errors import BadCheckpoint
from relex.flows.train import _check_parity
from relex.inference.ensemble import open_scorer
from relex.inference.scorer import Scorer
from relex.lazy import load_parity_check
from relex.model.checkpoint import save
from relex.model.devices import half_precision
from relex.model.folder import MODEL_CARD, PARITY, digests
from relex.model.parity import Parity, read_parity, write_parity
from relex.registry import model_versions
from relex.registry import parity_check as measuring
from relex.registry.importing import import_folder
from relex.settings import Settings

GOOD = Parity("bfloat16", 2000, agreement=99.6, largest_difference=0.02, micro_f1=79.9, micro_f1_exact=80.0)

needs_half = pytest.mark.skipif(half_precision(torch.device("cpu")) is None, reason="this CPU has no 16-bit unit")


@pytest.fixture
def folder(tmp_path, build, tokenizer):
    save(tmp_path / "model", build(), tokenizer, {MODEL_CARD: "# A model\n"})
    return tmp_path / "model"


@pytest.fixture
def labeled(examples):
    return [replace(example, label="org:members" if example.row_no % 2 else "no_relation") for example in examples]


def scores(scorer, examples):
    return {each.row_no: each.probabilities for batch in scorer.score(examples) for each in batch}


def test_the_parity_check_asks_for_labels_and_for_f1():
    assert GOOD.passed
    assert not replace(GOOD, agreement=98.9).passed
    assert not replace(GOOD, micro_f1=79.6).passed
    assert not replace(GOOD, examples=20, agreement=100.0).passed
    assert "always scored in float32" in replace(GOOD, agreement=98.9).words


def test_what_was_measured_is_part_of_the_checkpoint(folder):
    before = digests(folder)
    assert read_parity(folder) is None
    write_parity(folder, GOOD)
    assert read_parity(folder) == GOOD
    assert digests(folder).keys() - before.keys() == {PARITY}
    assert "99.60% of the labels" in (folder / MODEL_CARD).read_text("utf-8")


@pytest.mark.parametrize("text", ["{", "[]", '{"dtype": "bfloat16"}', json.dumps(asdict(GOOD) | {"agreement": "99"})])
def test_a_damaged_file_is_reported(folder, text):
    (folder / PARITY).write_text(text)
    with pytest.raises(BadCheckpoint, match=PARITY):
        Scorer(folder, "cpu")


@needs_half
def test_the_parity_check_measures_what_the_scorers_do(folder, labeled):
    load_parity_check("cpu")(folder, labeled)
    found = read_parity(folder)
    exact, half = (
        scores(Scorer(folder, "cpu", torch.float32), labeled),
        scores(Scorer(folder, "cpu", torch.bfloat16), labeled),
    )
    pairs = [(a, b) for row_no in exact for a, b in zip(exact[row_no], half[row_no], strict=True)]
    assert found.largest_difference == pytest.approx(max(abs(a - b) for a, b in pairs))
    same = [exact[row].index(max(exact[row])) == half[row].index(max(half[row])) for row in exact]
    assert found.agreement == pytest.approx(100 * sum(same) / len(same))
    assert (found.dtype, found.examples) == ("bfloat16", len(labeled))


@needs_half
def test_who_passed_is_scored_in_16_bit_unless_exactness_is_asked_for(folder, examples):
    exact, half = (
        scores(Scorer(folder, "cpu", torch.float32), examples),
        scores(Scorer(folder, "cpu", torch.bfloat16), examples),
    )
    assert scores(open_scorer(folder, "cpu"), examples) == exact
    write_parity(folder, GOOD)
    assert scores(open_scorer(folder, "cpu"), examples) == half != exact
    assert scores(open_scorer(folder, "cpu", exact=True), examples) == exact
    write_parity(folder, replace(GOOD, agreement=50.0))
    assert scores(open_scorer(folder, "cpu"), examples) == exact


@needs_half
def test_of_many_examples_some_are_taken_and_who_was_measured_is_believed(folder, labeled, monkeypatch):
    monkeypatch.setattr(measuring, "MAX_EXAMPLES", 5)
    measuring.check_parity(folder, labeled)
    assert read_parity(folder).examples == 4
    measuring.check_parity(folder, labeled[:1])
    assert read_parity(folder).examples == 4


def test_a_device_without_a_16_bit_unit_measures_nothing(folder, labeled, monkeypatch):
    monkeypatch.setattr(measuring, "half_precision", lambda _: None)
    measuring.check_parity(folder, labeled)
    assert read_parity(folder) is None


@pytest.mark.parametrize("error", [OSError("the disk is full"), BadCheckpoint("the disk is full")])
def test_a_parity_check_that_fails_costs_no_training(folder, labeled, caplog, error):
    def failing_check(_place, _examples):
        raise error

    with caplog.at_level(logging.WARNING):
        _check_parity(failing_check, folder, labeled)
    assert "16 bit was not measured, so the checkpoint is scored in float32: the disk is full" in caplog.text


@needs_half
def test_an_encoder_that_is_padded_is_not_measured(tmp_path, build, tokenizer, labeled):
    small = {"dim": 64, "hidden_dim": 96, "n_layers": 2, "n_heads": 2}
    save(tmp_path / "padded", build(DistilBertConfig(**small, max_position_embeddings=162)), tokenizer, {})
    measuring.check_parity(tmp_path / "padded", labeled)
    assert read_parity(tmp_path / "padded") is None


def test_an_import_with_a_damaged_measurement_is_refused(database, tmp_path, folder):
    (folder / PARITY).write_text("{")
    with pytest.raises(BadCheckpoint, match=PARITY):
        import_folder(database, Settings(home=tmp_path / "home"), folder, "damaged")


def test_an_import_whose_measurement_fails_leaves_nothing(database, tmp_path, folder):
    def fail(_staging):
        raise OSError("no space left")

    settings = Settings(home=tmp_path / "home")
    with pytest.raises(OSError, match="no space"):
        import_folder(database, settings, folder, "mine", fail)
    assert list((settings.home / "models" / ".unfinished").iterdir()) == []
    assert model_versions.every(database) == []


def test_an_import_may_be_measured_on_ones_own_rows(database, tmp_path, folder):
    settings = Settings(home=tmp_path / "home")
    plain = import_folder(database, settings, folder, "plain")
    measured = import_folder(database, settings, folder, "measured", lambda staging: write_parity(staging, GOOD))
    assert read_parity(model_versions.checkpoint_folder(settings, plain)) is None
    assert read_parity(model_versions.checkpoint_folder(settings, measured)) == GOOD
    assert not (folder / PARITY).exists()
    assert json.loads((model_versions.checkpoint_folder(settings, measured) / PARITY).read_text())["agreement"] == 99.6
