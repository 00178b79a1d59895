"""The recipe section `tuning` is read exactly, or rejected with the line of every problem."""

from pathlib import Path

import pytest

from relex.errors import InvalidConfig
from relex.training.recipe.config import load_config
from relex.tuning.section import default_space, load_tuning_plan
from relex.tuning.space import Choices, Range, check_name

MINIMAL = "backbone: {name: some/encoder}\ndata: {train: train.csv, valid: valid.csv}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "valid.csv"):
        (tmp_path / name).touch()
    return tmp_path


def read_plan(text, overrides=None):
    Path("mine.yaml").write_text(MINIMAL + text, "utf-8")
    return load_tuning_plan("mine.yaml", overrides or {})


def problems(text, overrides=None):
    with pytest.raises(InvalidConfig) as caught:
        read_plan(text, overrides)
    return str(caught.value).splitlines()


def test_lists_are_choices_and_low_and_high_a_range():
    plan = read_plan(
        "tuning:\n  space:\n"
        "    loss: {gamma: [1, 2.5], name: [focal, cross_entropy]}\n"
        "    train:\n      learning_rate: {low: 1e-5, high: 1e-4, log: true}\n      epochs: {low: 2, high: 5}\n"
        "      patience: {low: 1, high: 3}\n    dropout: {low: 0, high: 1e-1}\n"
    )
    assert plan.method == "tpe"
    assert dict(plan.space) == {
        "loss.gamma": Choices((1, 2.5)),
        "loss.name": Choices(("focal", "cross_entropy")),
        "train.learning_rate": Range(1e-5, 1e-4, log=True),
        "train.epochs": Range(2, 5, whole=True),
        "train.patience": Range(1, 3, whole=True),
        "dropout": Range(0, 0.1),
    }


def test_a_recipe_without_the_section_has_a_space_of_what_matters():
    plan = read_plan("train: {learning_rate: 1e-3}\n")
    assert (plan.method, dict(plan.space)) == ("tpe", default_space(plan.config))
    assert plan.space["train.learning_rate"] == Range(2e-4, 5e-3, log=True)
    for key, values in plan.space.items():
        for value in (values.low, values.high):
            plan.config_of({key: value})


def test_a_training_ignores_the_section():
    plain = read_plan("").config
    assert read_plan("tuning: {method: grid, space: {dropout: [0.1]}}\n").config == plain
    assert load_config("mine.yaml") == plain
    assert "tuning" not in plain.to_dict()


def test_a_grid_is_every_combination():
    plan = read_plan("tuning: {method: grid, space: {dropout: [0.1, 0.2], pooling: [cls, max]}}\n")
    assert [tuple(each.values()) for each in plan.combinations()] == [
        (0.1, "cls"),
        (0.1, "max"),
        (0.2, "cls"),
        (0.2, "max"),
    ]


def test_the_shipped_grid_holds_the_reported_pair():
    plan = load_tuning_plan("tune_focal", {"data.train": "train.csv", "data.valid": "valid.csv"})
    assert (plan.method, len(plan.combinations())) == ("grid", 12)
    assert {"loss.gamma": 1.0, "loss.alpha": 0.25} in plan.combinations()


def test_a_base_hands_its_space_down_and_set_has_the_last_word(folder):
    (folder / "ground.yaml").write_text(
        MINIMAL + "tuning: {space: {dropout: {low: 0.1, high: 0.2}, loss: {gamma: [1]}}}"
    )
    Path("upper.yaml").write_text("base: ground.yaml\ntuning: {space: {dropout: [0.1, 0.3]}}\n")
    plan = load_tuning_plan(
        "upper.yaml", {"tuning.space.loss.gamma": "{low: 0, high: 2}", "tuning.method": "tpe", "train.epochs": "3"}
    )
    assert dict(plan.space) == {"dropout": Choices((0.1, 0.3)), "loss.gamma": Range(0, 2)}
    assert (plan.config.train.epochs, dict(plan.changes)) == (3, {"train.epochs": 3})


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("  method: gird", "mine.yaml:4: tuning.method: 'gird' is none of tpe, grid (did you mean grid?)"),
        ("  methods: grid", "mine.yaml:4: unknown key tuning.methods (did you mean method?)"),
        ("  space: {}", "mine.yaml:4: tuning.space should name the settings to tune, not {}"),
        ("  space: [1]", "mine.yaml:4: tuning.space should name the settings to tune, not [1]"),
        (
            "  space:\n    loss: {gama: [1]}",
            "mine.yaml:5: tuning.space: unknown key loss.gama (did you mean loss.gamma?)",
        ),
        (
            "  space:\n    loss:\n      gamma: [1, -1]",
            "mine.yaml:6: tuning.space: loss.gamma should be greater than or equal to 0, not -1",
        ),
        (
            "  space: {dropout: 0.1}",
            "mine.yaml:4: tuning.space.dropout should be a list of values, or low and high, not 0.1",
        ),
        (
            "  space: {dropout: []}",
            "mine.yaml:4: tuning.space.dropout should be a list of values, or low and high, not []",
        ),
        ("  space: {dropout: [0.1, 0.1]}", "mine.yaml:4: tuning.space.dropout lists a value twice"),
        (
            "  space: {loss: {alpha: [{per:spouse: 2}]}}",
            "mine.yaml:4: tuning.space.loss.alpha should list plain values: numbers, words, true, false or null",
        ),
        (
            "  space: {dropout: {low: 0.1, hihg: 2}}",
            "mine.yaml:4: unknown key tuning.space.dropout.hihg (did you mean high?)",
        ),
        (
            "  space: {dropout: {low: 0.2, high: 0.1}}",
            "mine.yaml:4: tuning.space.dropout should have two numbers, low below high, not 0.2 and 0.1",
        ),
        (
            "  space: {dropout: {low: 0, high: 0.1, log: true}}",
            "mine.yaml:4: tuning.space.dropout.log should be true or false, and true only where low is above 0",
        ),
        (
            "  space: {train: {epochs: {low: 1.5, high: 3}}}",
            "mine.yaml:4: tuning.space: train.epochs should be a valid integer, not 1.5",
        ),
        (
            "  space: {pooling: {low: 1, high: 3}}",
            "mine.yaml:4: tuning.space: pooling: 1 is none of cls, mean, max, attention, first_marker",
        ),
        ("  space: {data: {valid: [a, b]}}", "mine.yaml:4: tuning.space.data.valid cannot be tuned: "),
        ("  space: {train: [1]}", "mine.yaml:4: tuning.space: train should hold settings of its own, not 1"),
    ],
)
def test_what_cannot_be_tuned(section, expected):
    assert any(problem.startswith(expected) for problem in problems(f"tuning:\n{section}\n"))


def test_a_grid_rejects_ranges():
    expected = problems("tuning:\n  method: grid\n  space:\n    dropout: {low: 0, high: 0.1}\n")
    assert expected == [
        "mine.yaml:6: tuning.space.dropout is a range: list its values for a grid, or set tuning.method to tpe"
    ]
    assert all("is a range" in problem for problem in problems("tuning: {method: grid}\n"))


def test_all_problems_of_a_space_are_reported_at_once():
    expected = problems("tuning:\n  method: x\n  space:\n    dropout: [2]\n    loss: {gama: [1]}\n")
    assert [problem.partition(": ")[0] for problem in expected] == ["mine.yaml:4", "mine.yaml:6", "mine.yaml:7"]


def test_a_section_that_is_not_a_mapping():
    assert problems("tuning: 5\n") == ["mine.yaml:3: tuning should hold method and space, not 5"]
    assert problems("tunning: {}\n") == ["mine.yaml:3: unknown key tunning (did you mean tuning?)"]


def test_contradicting_values_are_rejected_by_the_recipe_of_the_trial():
    plan = read_plan("tuning: {space: {backbone: {scratch: {hidden_size: [32, 30], heads: [4, 3]}}}}\n")
    assert plan.config_of({"backbone.scratch.hidden_size": 30, "backbone.scratch.heads": 3}).backbone.scratch.heads == 3
    with pytest.raises(InvalidConfig, match="heads"):
        plan.config_of({"backbone.scratch.hidden_size": 30, "backbone.scratch.heads": 4})


@pytest.mark.parametrize("recipe", ["mine.yaml", "deep/mine.yaml", "scratch", "scratch.yaml"])
@pytest.mark.parametrize("file", ["best.yaml", "deep/er/best.yaml"])
def test_a_best_recipe_is_the_trials(folder, recipe, file):
    (folder / "deep" / "er").mkdir(parents=True)
    for path in ("mine.yaml", "deep/mine.yaml"):
        Path(path).write_text(MINIMAL + "loss: {alpha: {per:spouse: 2}}\n")
    Path("data").mkdir()
    data = {"data.train": "train.csv", "data.valid": "valid.csv", "tuning.method": "tpe", "train.epochs": "3"}
    plan = load_tuning_plan(recipe, data)
    changes = {"train.learning_rate": 1.8310473529191802e-05, "pooling": "cls", "train.patience": None, "dropout": 0.0}
    Path(file).write_text(plan.to_recipe(changes, "why", Path(file)))
    assert Path(file).read_text().startswith("# why\nbase: ")
    written = load_config(file)
    assert written.name == "best"
    expected = plan.config_of(changes).to_dict() | {"name": "best"}
    assert written.to_dict() == expected
    assert (written.train.learning_rate, written.train.epochs) == (1.8310473529191802e-05, 3)


@pytest.mark.parametrize("name", ["my best.yaml", "best.yml", f"{'x' * 65}.yaml", ".yaml"])
def test_a_file_that_no_model_can_be_named_after(name):
    with pytest.raises(InvalidConfig, match=r"end in \.yaml"):
        check_name(Path(name))
