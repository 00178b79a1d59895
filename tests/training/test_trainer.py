"""A tiny classifier is trained for real: the folder is whole, the scores are its own, and it comes out again."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from relex.encoding.batches import collate
from relex.errors import InvalidCsv
from relex.files.reading import read_labeled_examples
from relex.labels import NO_RELATION
from relex.model.checkpoint import load
from relex.model.folder import FOR_PEOPLE, READ_BY_SCORING
from relex.training.losses import RDropLoss
from relex.training.recipe.config import TrainingConfig
from relex.training.trainer import evaluate, train
from relex.training.validation import ClassifierEvaluator, Validation
from tests.tiny_training import LABEL_OF_TYPE, config, tiny_data


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Threads that wait for each other over matrices of 16 columns make this ten times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def valid_file(tmp_path_factory):
    """The recipe's files lie in the current folder; only their digests are taken."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("current"))
        for name in ("train.csv", "valid.csv"):
            Path(name).write_text("whatever", "utf-8")
        yield


@pytest.fixture(scope="module")
def data():
    return tiny_data()


def stalled(_):
    """A report that nobody reads."""


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """One training, its folder and all that it reported."""
    folder = tmp_path_factory.mktemp("trained") / "deep" / "tiny"
    output = []
    outcome = train(config(), *data, folder, output.append)
    return outcome, folder, output


def test_the_folder_is_whole_and_nothing_lies_beside_it(trained):
    _, folder, _ = trained
    assert {path.name for path in folder.iterdir()} == {*READ_BY_SCORING, *FOR_PEOPLE}
    assert list(folder.parent.iterdir()) == [folder]
    assert list(folder.parent.parent.iterdir()) == [folder.parent]


def test_it_learns_what_there_is_to_learn(trained):
    outcome, _, output = trained
    assert outcome.micro_f1 > 90
    assert outcome.epochs == 3
    losses = [entry["loss"] for entry in output[-1]["history"]]
    assert losses[0] > 2 * losses[-1]


def test_the_scores_are_those_of_the_saved_weights(trained, data):
    outcome, folder, _ = trained
    again = evaluate(folder, data[1])
    assert (again.micro_f1, again.auprc) == (outcome.micro_f1, pytest.approx(outcome.auprc, abs=1e-6))
    assert metrics(folder)["validation"]["micro_f1"] == outcome.micro_f1
    assert metrics(folder)["validation"]["auprc"] == outcome.auprc


def test_probabilities_are_those_of_each_row_by_itself(trained, data):
    checkpoint = load(trained[1])
    alone = [
        checkpoint.model(**collate(checkpoint.encoder.encode([item]), checkpoint.pad_token_id).tensors()).logits
        for item in data[1]
    ]
    validation = Validation(data[1], "valid.csv")
    evaluator = ClassifierEvaluator(checkpoint.model, checkpoint.encoder, checkpoint.pad_token_id, validation)
    together = torch.from_numpy(evaluator.probabilities())
    torch.testing.assert_close(together, torch.cat(alone).softmax(dim=1), atol=1e-5, rtol=0)


def test_scores_do_not_depend_on_the_order_of_the_rows(trained, data):
    outcome, folder, _ = trained
    turned = [replace(item, row_no=number) for number, item in enumerate(reversed(data[1]))]
    assert evaluate(folder, turned).micro_f1 == outcome.micro_f1
    wrong = [replace(item, label=NO_RELATION) for item in data[1][:30]] + data[1][30:]
    assert evaluate(folder, wrong).micro_f1 < outcome.micro_f1 - 10


def test_the_recipe_in_the_folder_is_the_one_that_was_used(trained):
    _, folder, _ = trained
    text = (folder / "train_config.yaml").read_text("utf-8")
    assert text == config().to_yaml()
    assert "learning_rate: 0.01" in text


def test_reports_are_plain_data_up_to_the_last_step(trained):
    _, _, output = trained
    json.dumps(output)
    steps = [entry["step"] for entry in output]
    assert steps == sorted(steps)
    assert (output[-1]["step"], output[-1]["steps"]) == (60, 60)
    assert [len(entry["history"]) for entry in output if entry["step"] == 20] == [0, 1]
    assert output[-1]["learning_rate"] < output[0]["learning_rate"] <= 0.01


def test_the_same_seed_gives_the_same_weights(trained, data, tmp_path):
    _, folder, _ = trained
    train(config(), *data, tmp_path / "same", stalled)
    train(config(train={"seed": 43}), *data, tmp_path / "other", stalled)
    assert weights(tmp_path / "same") == weights(folder)
    assert weights(tmp_path / "other") != weights(folder)


def test_the_best_epoch_is_kept_and_not_the_last(data, tmp_path):
    # Every label is turned into another one: whatever is learned makes the score on these rows worse.
    labels = list(LABEL_OF_TYPE.values())
    turned = [replace(item, label=labels[labels.index(item.label) - 1]) for item in data[1]]
    recipe = config(validation={"metric": "auprc"}, train={"epochs": 6, "patience": 2})
    outcome = train(recipe, data[0], turned, tmp_path / "tiny", stalled)
    training = metrics(tmp_path / "tiny")["training"]
    scores = [entry["auprc"] for entry in training["history"]]
    assert scores[-1] < max(scores)
    assert outcome.auprc == pytest.approx(max(scores), abs=1e-4)
    assert training["best_epoch"] == 1 + scores.index(max(scores))
    assert outcome.epochs == training["best_epoch"] + 2 < 6


def test_half_size_weights_are_evaluated_as_they_are_saved(data, tmp_path):
    # Asked at random, among many rows: the smallest change of a weight changes the order that AUPRC sees.
    labels = [item.label for item in data[0]]
    random.Random(5).shuffle(labels)
    valid = [replace(item, label=label) for item, label in zip(data[0], labels, strict=True)]
    train_settings = {"precision": "bf16", "epochs": 1, "learning_rate": 1e-4}
    recipe = config(save={"dtype": "float16"}, train=train_settings, loss={"name": "focal"})
    outcome = train(recipe, data[0], valid, tmp_path / "tiny", stalled)
    again = evaluate(tmp_path / "tiny", valid)
    assert (again.micro_f1, again.auprc) == (outcome.micro_f1, outcome.auprc)
    assert metrics(tmp_path / "tiny")["training"]["precision"] == "bf16"


def test_a_local_backbone_is_the_starting_point(data, tmp_path, backbone_config, tokenizer, capfd):
    backbone_config.vocab_size = len(tokenizer)
    torch.manual_seed(3)
    backbone = AutoModel.from_config(backbone_config)
    backbone.save_pretrained(tmp_path / "backbone")
    tokenizer.save_pretrained(tmp_path / "backbone")
    recipe = config(train={"epochs": 1, "learning_rate": 1e-9}).to_dict()
    recipe["backbone"] = {"name": str(tmp_path / "backbone")}
    capfd.readouterr()
    train(TrainingConfig.from_dict(recipe), *data, tmp_path / "tiny", stalled)
    assert capfd.readouterr() == ("", "")
    trained = load(tmp_path / "tiny").model.backbone.state_dict()
    name = "encoder.layer.1.output.dense.weight"
    torch.testing.assert_close(trained[name], backbone.state_dict()[name], atol=1e-5, rtol=0)


def test_it_is_stalled(data, tmp_path, capfd, caplog):
    train(config(train={"epochs": 1}), *data, tmp_path / "tiny", stalled)
    evaluate(tmp_path / "tiny", data[1])
    assert capfd.readouterr() == ("", "")
    assert {record.name for record in caplog.records} <= {"relex.evaluation.metrics"}


@pytest.mark.parametrize("file", ["train.csv", "valid.csv"])
@pytest.mark.parametrize(
    ("label", "what"),
    [(None, "no label"), ("per:spouze", r"the unknown label per:spouze \(did you mean per:spouse\?\)")],
)
def test_a_row_without_a_known_label_is_refused_before_anything(data, tmp_path, file, label, what):
    spoiled = {"train.csv": list(data[0]), "valid.csv": list(data[1])}
    spoiled[file][5] = replace(spoiled[file][5], label=label)
    far_away = TrainingConfig.from_dict(config().to_dict() | {"backbone": {"name": "nobody/has-this-encoder"}})
    message = rf"^{file}: 1 of \d+ rows cannot be used for training: id id-5 has {what}; label"
    with pytest.raises(InvalidCsv, match=message):
        train(far_away, *spoiled.values(), tmp_path / "tiny", stalled)
    assert list(tmp_path.iterdir()) == []


def test_no_examples_are_refused(trained, data, tmp_path):
    with pytest.raises(InvalidCsv, match=r"^train.csv: no examples"):
        train(config(), [], data[1], tmp_path / "tiny", stalled)
    with pytest.raises(InvalidCsv, match=r"^evaluation: no examples"):
        evaluate(trained[1], [])


def test_what_a_report_raises_ends_the_training_and_leaves_nothing(data, tmp_path):
    class Lost(Exception):
        pass

    def report(output):
        if output["history"]:
            raise Lost

    with pytest.raises(Lost):
        train(config(), *data, tmp_path / "tiny", report)
    assert list(tmp_path.iterdir()) == []


def test_r_drop_sees_two_passes_under_different_dropout(data, tmp_path, monkeypatch):
    seen = []
    forward = RDropLoss.forward

    def spy(loss, logits, gold):
        seen.append((logits.detach(), gold))
        return forward(loss, logits, gold)

    monkeypatch.setattr(RDropLoss, "forward", spy)
    train(config(loss={"r_drop": 1.0}), *data, tmp_path / "tiny", stalled)
    assert len(seen) == 60
    apart = other = 0.0
    for logits, gold in seen:
        first, second = logits.chunk(2)
        assert len(first) == len(second) == len(gold)
        assert not torch.equal(first, second)
        apart += (first - second).abs().mean()
        other += (first - second.roll(1, 0)).abs().mean()
    # The same examples in the same order: an example is nearer to itself than to its neighbour.
    assert apart < 0.8 * other


def test_the_score_by_another_files_mix_can_choose_the_epoch(tmp_path):
    sample = Path(__file__).parents[2] / "data"
    train_file, valid_file, target = (sample / f"{name}_data.csv" for name in ("train", "valid", "test"))
    recipe = config(
        data={"train": str(train_file), "valid": str(valid_file)},
        validation={"metric": "micro_f1_reweighted", "like": str(target)},
        train={"epochs": 4},
    )
    train(recipe, *map(read_labeled_examples, (train_file, valid_file)), tmp_path / "tiny", stalled)
    output = metrics(tmp_path / "tiny")
    shifted = [epoch["micro_f1_reweighted"] for epoch in output["training"]["history"]]
    assert shifted != [epoch["micro_f1"] for epoch in output["training"]["history"]]
    assert output["training"]["best_epoch"] == 1 + shifted.index(max(shifted))
    assert output["validation"]["reweighted"]["micro_f1"] == pytest.approx(max(shifted))
    assert output["validation"]["reweighted"]["psi"] > 0
    assert output["validation"]["unseen_entities"]["examples"] > 0
    assert "reweighted to the mix of test_data.csv" in (tmp_path / "tiny" / "README.md").read_text("utf-8")
