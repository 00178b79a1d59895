"""The model card and metrics.json say the facts of the training."""

import json
from dataclasses import replace

import numpy as np
import pytest

from relex.domain.examples import Entity, Example
from relex.evaluation.metrics import evaluation
from relex.evaluation.shift import Reweighted
from relex.labels import NO_RELATION, RELATIONS
from relex.training.model_card import TrainingFacts, metrics_json, model_card
from relex.training.recipe.config import TrainingConfig
from relex.training.validation import GeneralizationScores
from tests.factories import calibration


def example(row_no, label, source, name="조지"):
    sentence = f"{name} 비틀즈"
    subject = Entity(name, 0, len(name), "PER")
    return Example(
        row_no, str(row_no), sentence, subject, Entity("비틀즈", len(name) + 1, len(sentence), "ORG"), label, source
    )


@pytest.fixture
def facts():
    data = {
        "name": "tiny",
        "backbone": {"name": "klue/roberta-small"},
        "data": {"train": "a/train.csv", "valid": "b.csv"},
        "validation": {"like": "c/target.csv"},
    }
    train = [example(row, "per:title", "wikipedia") for row in range(3)]
    valid = [example(row, RELATIONS[row % 30], "wikipedia", "조지" if row < 150 else "존") for row in range(600)]
    gold = [str(item.label) for item in valid]
    # no_relation is always right, per:religion (the last) never.
    probabilities = np.full((600, 30), 1e-3)
    probabilities[
        np.arange(600), [0 if label in (NO_RELATION, "per:religion") else RELATIONS.index(label) for label in gold]
    ] = 1
    return TrainingFacts(
        config=TrainingConfig.from_dict(data | {"train": {"seed": 7}, "input": {"max_length": 96}}),
        train=train,
        valid=valid,
        train_sha256="1" * 64,
        valid_sha256="0" * 64,
        evaluation=evaluation(gold, probabilities, RELATIONS),
        generalization=GeneralizationScores(Reweighted(61.25, 0.64, 1200.4, 0.03, 0.01), 48.5, 77),
        calibration=calibration(),
        history=[{"epoch": 1, "loss": 2.5, "micro_f1": 60.0, "auprc": 50.0}] * 4,
        best_epoch=3,
        seconds=90.0,
        device="2 CPU cores",
        precision="fp32",
        parameters=5_250_000,
    )


def test_metrics_hold_both_scores_the_labels_and_the_supports(facts):
    content = json.loads(metrics_json(facts))
    validation, training = content["validation"], content["training"]
    assert validation["micro_f1"] == facts.evaluation.micro_f1
    assert validation["auprc"] == facts.evaluation.auprc
    assert validation["examples"] == 600
    assert list(validation["per_label"]) == list(facts.evaluation.per_label.index)
    assert validation["per_label"]["per:religion"] == {"precision": 0, "recall": 0, "f1": 0, "support": 20}
    assert training["support"] == {"per:title": 3}
    assert training["data"] == [{"file": "train.csv", "sha256": "1" * 64}]
    assert validation["precision"] == "fp32"
    assert (training["best_epoch"], training["seconds"], training["device"]) == (3, 90.0, "2 CPU cores")
    assert len(training["history"]) == 4


def test_the_card_names_scores_data_training_and_command(facts):
    card = model_card(facts)
    assert f"| {facts.evaluation.micro_f1:.2f} (95% CI " in card
    assert f"| {facts.evaluation.auprc:.2f} |" in card
    assert "started from klue/roberta-small, 5.2 million parameters" in card
    assert "4 epochs in 1.5 minutes on 2 CPU cores (fp32); epoch 3 had the best micro_f1" in card
    assert "Seed 7" in card
    assert "relex train --config CHECKPOINT/train_config.yaml" in card
    assert "window of 96 tokens" in card
    assert "train.csv, 3 examples" in card
    assert "a/train.csv" not in card


def test_the_card_says_where_the_model_is_weak(facts):
    card = model_card(facts)
    assert "In 25% of the validation examples the words of both entities are entities of the training file" in card
    assert "validation examples: none." in card
    assert "per:religion (20)" in card
    assert "| per:religion | 0.0 | 0.0 | 0.0 | 20 |" in card


def test_the_weakest_labels_are_those_with_enough_examples(facts):
    gold = ["per:title"] * 30 + ["per:spouse"] * 40 + ["per:siblings"] * 29
    # Half of per:spouse is right, all of per:title, nothing of the rarer per:siblings.
    columns = [RELATIONS.index(label) for label in ["per:title"] * 30 + ["per:spouse"] * 20 + [NO_RELATION] * 49]
    few = replace(facts, evaluation=evaluation(gold, np.eye(30)[columns], RELATIONS))
    assert "validation examples: per:spouse (67), per:title (100).\n" in model_card(few)


def test_klues_license_is_named_where_klue_was_used(facts):
    assert "license: cc-by-sa-4.0" in model_card(facts)
    assert "CC BY-SA 4.0" in model_card(facts)
    other = model_card(replace(facts, train=[example(0, "per:title", "diary")]))
    assert "cc-by-sa" not in other.lower()
    assert "state it when you share these weights" in other


def test_a_model_made_from_scratch_names_no_other_encoder(facts):
    config = facts.config.to_dict() | {"backbone": {"scratch": {}}}
    card = model_card(replace(facts, config=TrainingConfig.from_dict(config)))
    assert "trained from random weights" in card
    assert "klue/roberta" not in card


def test_what_is_to_be_expected_generalization_is_reported_with_how_far_to_trust_it(facts):
    validation = json.loads(metrics_json(facts))["validation"]
    assert (validation["reweighted"]["micro_f1"], validation["reweighted"]["psi"]) == (61.25, 0.64)
    assert validation["unseen_entities"] == {"examples": 77, "micro_f1": 48.5}
    card = model_card(facts)
    details = "PSI 0.64, large shift; effective sample size 1,200; 3% "
    assert f"| micro-F1 reweighted to the mix of target.csv ({details}" in card
    assert "| micro-F1 on the 77 examples with unseen sentence and entity words | 48.50 |" in card


def test_nothing_is_reported_where_nothing_is_known(facts):
    plain = replace(facts, generalization=GeneralizationScores(None, None, 0))
    assert json.loads(metrics_json(plain))["validation"]["reweighted"] is None
    assert "by the mix of" not in model_card(plain)
    assert "are new" not in model_card(plain)


def test_the_card_says_what_probabilities_meant_or_that_nobody_measured_it(facts):
    measured = (
        "75.0% of the labels are right. By the highest probability of a row, these are 40% at 0.5, 56% at 0.7, 72%"
    )
    assert measured in model_card(facts)
    assert "not calibrated" not in model_card(facts)
    assert "## Calibration\n\nNot measured: it takes 200" in model_card(replace(facts, calibration=None))
