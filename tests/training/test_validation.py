"""The scores that may choose an epoch, against numbers done by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from relex.domain.mix import type_pair_and_source
from relex.errors import InvalidConfig, InvalidCsv, InvalidInput
from relex.labels import NO_RELATION, RELATIONS
from relex.training.recipe.config import TrainingConfig, load_config
from relex.training.validation import Validation
from tests.factories import example

RIGHT, WRONG = "org:top_members/employees", "org:founded_by"


def rows(count, first=0, kind="PER"):
    """Labelled examples that share nothing with each other, with this type of object."""
    made = [example(number, RIGHT) for number in range(first, first + count)]
    return [replace(item, object=replace(item.object, type=kind)) for item in made]


def certain(labels):
    """Probabilities of a model that is sure of these labels."""
    probabilities = np.full((len(labels), len(RELATIONS)), 1e-3)
    probabilities[np.arange(len(labels)), [RELATIONS.index(label) for label in labels]] = 0.9
    return probabilities


def test_without_more_only_the_plain_scores_are_reported():
    scores = Validation(rows(4), "valid.csv").scores(certain([RIGHT, RIGHT, WRONG, NO_RELATION]), RELATIONS)
    assert scores.keys() == {"micro_f1", "auprc"}
    # 2 hits of 4 gold relations and 3 predicted ones
    assert scores["micro_f1"] == pytest.approx(200 * 2 / (4 + 3))


def test_the_shifted_score_weighs_by_the_targets_mix():
    valid = rows(8, kind="PER") + rows(2, first=8, kind="POH")
    predicted = [RIGHT] * 8 + [WRONG] * 2
    target = rows(5, first=20, kind="PER") + rows(5, first=25, kind="POH")
    validation = Validation(valid, "valid.csv", target=target)
    scores = validation.scores(certain(predicted), RELATIONS)
    assert scores["micro_f1"] == pytest.approx(80)
    # Half of the target is like the rows that are all right, half like those that are all wrong.
    assert scores["micro_f1_reweighted"] == pytest.approx(50)
    shifted = validation.generalization(predicted).reweighted
    assert shifted.micro_f1 == scores["micro_f1_reweighted"]
    assert shifted.psi > 0.25


def test_new_examples_share_neither_sentence_nor_word():
    train = rows(3)
    valid = rows(6)
    other = example(50).sentence
    # Row 3 stands in a training sentence, row 4 has a subject's word that is an object's word in training.
    valid[3] = replace(valid[3], sentence=train[0].sentence)
    valid[4] = replace(valid[4], sentence=other, subject=replace(valid[4].subject, text=train[1].object.text))
    validation = Validation(valid, "valid.csv", trained_on=train)
    assert validation.unseen == [5]
    right_there = validation.scores(certain([WRONG] * 5 + [RIGHT]), RELATIONS)
    wrong_there = validation.scores(certain([RIGHT] * 5 + [WRONG]), RELATIONS)
    assert (right_there["micro_f1_unseen"], wrong_there["micro_f1_unseen"]) == (100, 0)
    assert validation.generalization([RIGHT] * 6).unseen_examples == 1


def test_a_metric_that_cannot_be_had_is_refused_at_once():
    nothing_new = Validation(rows(3), "valid.csv", trained_on=rows(3))
    nothing_new.check("micro_f1")
    with pytest.raises(InvalidConfig, match=r"^validation.metric micro_f1_unseen: every validation example shares"):
        nothing_new.check("micro_f1_unseen")
    Validation(rows(3), "valid.csv", trained_on=rows(3, first=9)).check("micro_f1_unseen")


def test_a_target_of_other_kinds_is_refused_at_once():
    strange = rows(3, kind="NOH")
    assert not {type_pair_and_source(item) for item in strange} & {type_pair_and_source(item) for item in rows(3)}
    with pytest.raises(InvalidInput, match="no example has a type pair and source of the target"):
        Validation(rows(3), "valid.csv", target=strange).check("micro_f1_reweighted")


def test_no_examples_are_refused():
    with pytest.raises(InvalidCsv, match=r"^valid.csv: no examples"):
        Validation([], "valid.csv")


def test_the_recipe_names_the_target(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "valid.csv", "target.csv"):
        Path(name).touch()
    text = "backbone: {name: x}\ndata: {train: train.csv, valid: valid.csv}\nvalidation: {metric: micro_f1_reweighted"
    Path("mine.yaml").write_text(text + ", like: target.csv}", "utf-8")
    config = load_config("mine.yaml")
    assert config.validation.like == Path("target.csv")
    assert TrainingConfig.from_dict(config.to_dict()) == config
    Path("mine.yaml").write_text(text + "}", "utf-8")
    with pytest.raises(InvalidConfig, match=r"^mine.yaml:3: validation should have like, the file whose mix counts"):
        load_config("mine.yaml")
    Path("mine.yaml").write_text(text + ", like: gone.csv}", "utf-8")
    with pytest.raises(InvalidConfig, match=r"^mine.yaml:3: validation.like: there is no file gone.csv here"):
        load_config("mine.yaml")
