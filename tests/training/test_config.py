"""A recipe is refused whole, in words with lines, or read exactly."""

import json
from pathlib import Path

import pytest

from relex.errors import InvalidConfig
from relex.files.options import OFFSETS, TARGETS, ReadOptions
from relex.training.recipe.config import TrainingConfig, load_config
from relex.training.recipe.reader import shipped_names
from relex.training.recipe.safe_yaml import QUOTE

MINIMAL = "backbone: {name: some/encoder}\ndata: {train: train.csv, valid: valid.csv}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder, with two data files."""
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "valid.csv"):
        (tmp_path / name).touch()
    return tmp_path


def failures(text, overrides=None):
    Path("mine.yaml").write_text(text, "utf-8")
    with pytest.raises(InvalidConfig) as caught:
        load_config("mine.yaml", overrides or {})
    return str(caught.value).splitlines()


def config(text, overrides=None):
    Path("mine.yaml").write_text(text, "utf-8")
    return load_config("mine.yaml", overrides or {})


def test_defaults_fill_what_a_recipe_leaves_out():
    read = config(MINIMAL)
    assert read.name == "mine"
    assert read.backbone.name == "some/encoder"
    assert read.data.valid == Path("valid.csv")
    assert (read.input.max_length, read.loss.name, read.train.epochs) == (160, "cross_entropy", 10)


def test_every_setting_reaches_its_place():
    read = config(
        MINIMAL
        + "name: tiny-1\n"
        + "input: {scheme: typed_punct_marker, type_sentence: true, max_length: 64}\n"
        + "pooling: attention\ndropout: 0.2\n"
        + "loss: {name: focal, gamma: 1, alpha: {no_relation: 0.5, per:spouse: 2}, label_smoothing: 0.09}\n"
        + "train: {learning_rate: 3e-5, scheduler: cosine, patience: 2, precision: bf16}\n"
        + "validation: {metric: auprc}\nsave: {dtype: float16}\n"
    )
    assert read.name == "tiny-1"
    assert (read.input.scheme, read.input.type_sentence, read.input.max_length) == ("typed_punct_marker", True, 64)
    assert (read.pooling, read.dropout) == ("attention", 0.2)
    assert read.loss.alpha == {"no_relation": 0.5, "per:spouse": 2}
    assert (read.loss.gamma, read.loss.label_smoothing) == (1, 0.09)
    assert (read.train.learning_rate, read.train.scheduler, read.train.patience) == (3e-5, "cosine", 2)
    assert (read.train.precision, read.validation.metric, read.save.dtype) == ("bf16", "auprc", "float16")


def test_all_errors_are_reported_at_once_each_with_its_line():
    report = failures(
        "backbone: {name: some/encoder}\n"
        "data: {train: train.csv, valid: gone.csv}\n"
        "train:\n"
        "  shceduler: cosine\n"
        "  scheduler: cosin\n"
        "  epochs: ten\n"
        "  batch_size: 1.5\n"
        "  learning_rate: -1\n"
        "  weight_decay: .nan\n"
        "  epochs: 3\n"
        "pooling: maen\n"
        "input: {type_sentence: 1}\n"
        "epochs: 3\n"
        "loss:\n"
    )
    assert sorted(report) == sorted(
        [
            "mine.yaml:4: unknown key train.shceduler (did you mean train.scheduler?)",
            (
                "mine.yaml:5: train.scheduler: 'cosin' is none of linear, cosine, cosine_with_restarts, polynomial, "
                "constant, constant_with_warmup, inverse_sqrt (did you mean cosine?)"
            ),
            "mine.yaml:6: train.epochs should be a valid integer, not 'ten'",
            "mine.yaml:7: train.batch_size should be a valid integer, not 1.5",
            "mine.yaml:8: train.learning_rate should be greater than 0, not -1",
            "mine.yaml:9: train.weight_decay should be a finite number, not nan",
            "mine.yaml:10: train.epochs is set twice (first at mine.yaml:6)",
            ("mine.yaml:11: pooling: 'maen' is none of cls, mean, max, attention, first_marker (did you mean mean?)"),
            "mine.yaml:12: input.type_sentence should be a valid boolean, not 1",
            "mine.yaml:13: unknown key epochs (did you mean train.epochs?)",
            "mine.yaml:14: loss should hold settings of its own, not nothing",
            "mine.yaml:2: data.valid: there is no file gone.csv here; `--set data.valid=FILE` names another",
        ]
    )


@pytest.mark.parametrize(
    ("text", "report"),
    [
        ("a: [", f"mine.yaml:1: not YAML: expected the node content, but found '<stream end>'; {QUOTE}"),
        ("\n- 1", "mine.yaml:2: a recipe holds lines of `key: value`"),
        (MINIMAL + "name: two words", "mine.yaml:3: name should be 1 to 64 letters, digits, _ and -"),
        (MINIMAL + "? [a]\n: 1", "mine.yaml:3: a key must be one word"),
        (
            MINIMAL + "loss: &x {y: *x}",
            "mine.yaml: more than 10,000 values, aliases followed; write the recipe without aliases",
        ),
        ("data: {train: train.csv, valid: valid.csv}", "mine.yaml: backbone is missing"),
        ("base: mine.yaml", "mine.yaml:1: base mine.yaml is a circular reference"),
        (
            MINIMAL + "base: bsae",
            "mine.yaml:3: no recipe 'bsae' (did you mean base?): give a path, or one of " + ", ".join(shipped_names()),
        ),
    ],
)
def test_one_error_is_reported_alone(text, report):
    assert failures(text) == [report]


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("backbone: {name: x, scratch: {}}", "backbone should have either name (of a pre-trained encoder) or "),
        ("backbone: {}", "backbone should have either name (of a pre-trained encoder) or "),
        (
            "backbone: {scratch: {hidden_size: 250}}",
            "backbone.scratch should have a hidden_size that is a multiple of heads",
        ),
        (
            "loss: {alpha: {per:spouze: 2}}",
            "loss.alpha should hold weights of known labels: per:spouze is none (did you mean ",
        ),
        ("loss: {alpha: 0}", "loss.alpha should be a number above 0, or such a number for each of some labels"),
        ("loss: {alpha: {per:spouse: true}}", "loss.alpha should be a number above 0, or such a number"),
        ("loss: {alpha: [1, 2]}", "loss.alpha should be a number above 0, or such a number"),
        ("input: {max_length: 600}", "input.max_length should be less than or equal to 512, not 600"),
    ],
)
def test_what_cannot_be_set_together(line, report):
    text = line if line.startswith("backbone") else f"backbone: {{name: x}}\n{line}"
    assert failures(f"data: {{train: train.csv, valid: valid.csv}}\n{text}")[0].partition(": ")[2].startswith(report)


def test_a_tag_runs_no_code(folder):
    report = failures(MINIMAL + f"name: !!python/object/apply:os.mkdir [{folder}/made]")
    assert report == [
        "mine.yaml:3: python/object/apply:os.mkdir is not a plain value; write a number, a word or a text in quotes"
    ]
    assert not (folder / "made").exists()


def test_a_base_hands_down_what_is_not_said_again(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "ground.yaml").write_text("name: ground\n" + MINIMAL + "train: {epochs: 2, batch_size: 8}\n")
    (folder / "deep" / "middle.yaml").write_text("base: ground.yaml\ntrain: {epochs: 3}\nloss: {alpha: 0.5}\n")
    read = config("base: deep/middle.yaml\nbackbone: {scratch: {layers: 2}}\nloss: {alpha: {per:spouse: 2}}\n")
    assert (read.train.epochs, read.train.batch_size) == (3, 8)
    assert read.name == "mine"
    assert read.backbone.name is None
    assert read.backbone.scratch.layers == 2
    assert read.loss.alpha == {"per:spouse": 2}


def test_an_empty_section_changes_nothing():
    read = config("base: base\nloss: {}\nbackbone: {scratch: {}}\n" + MINIMAL.splitlines()[1])
    assert (read.loss.name, read.loss.label_smoothing) == ("focal", 0.1)
    assert read.backbone.scratch.layers == 4


def test_an_error_in_a_base_names_the_base(folder):
    (folder / "ground.yaml").write_text(MINIMAL + "train: {epochs: 0}\n")
    assert failures("base: ground.yaml") == ["ground.yaml:3: train.epochs should be greater than or equal to 1, not 0"]


def test_bases_in_a_circle(folder):
    (folder / "other.yaml").write_text("base: mine.yaml\n")
    assert "other.yaml:1: base mine.yaml is a circular reference" in failures("base: other.yaml\n" + MINIMAL)


def test_overrides_have_the_last_word_and_are_read_as_yaml():
    read = config(
        MINIMAL + "train: {patience: 3}",
        {
            "train.epochs": "3",
            "train.learning_rate": "1e-3",
            "train.patience": "",
            "loss.alpha": "{per:spouse: 2}",
            "backbone.scratch.layers": "2",
            "name": "two",
        },
    )
    assert (read.train.epochs, read.train.learning_rate, read.train.patience) == (3, 1e-3, None)
    assert read.loss.alpha == {"per:spouse": 2}
    assert (read.backbone.name, read.backbone.scratch.layers, read.name) == (None, 2, "two")


def test_errors_of_overrides_say_so():
    overrides = {"train.epoch": "3", "train.seed": "x", "data.train": "gone.csv", "pooling": "[a"}
    overrides["data.encoding"] = "utf-9"
    assert sorted(failures(MINIMAL, overrides)) == [
        "--set: data.encoding should be an encoding: unknown encoding 'utf-9'; try utf-8, cp949 or utf-16",
        "--set: data.train: there is no file gone.csv here; `--set data.train=FILE` names another",
        f"--set: pooling: '[a': not YAML: expected ',' or ']', but got '<stream end>'; {QUOTE}",
        "--set: train.seed should be a valid integer, not 'x'",
        "--set: unknown key train.epoch (did you mean train.epochs?)",
    ]


def test_an_unknown_recipe_is_named_with_those_that_exist():
    with pytest.raises(InvalidConfig, match=r"no recipe 'large_focl.yaml' \(did you mean large_focal\?\): give a path"):
        load_config("large_focl.yaml")


def test_a_file_that_is_no_text(folder):
    (folder / "mine.yaml").write_bytes("이름: x".encode("cp949"))
    with pytest.raises(InvalidConfig, match=r"^mine.yaml: cannot be read as UTF-8 text"):
        load_config("mine.yaml")


def test_plain_data_and_yaml_restore_the_config(folder):
    read = config(MINIMAL + "loss: {alpha: {per:spouse: 2}}\ninput: {scheme: none}\npooling: cls\n")
    assert TrainingConfig.from_dict(json.loads(json.dumps(read.to_dict()))) == read
    (folder / "again.yaml").write_text(read.to_yaml(), "utf-8")
    assert load_config("again.yaml") == read


def test_every_default_is_written_out():
    data = config(MINIMAL).to_dict()
    assert data["train"]["scheduler"] == "linear"
    assert data["input"] == {
        "scheme": "typed_entity_marker",
        "type_sentence": False,
        "max_length": 160,
        "on_overflow": "truncate",
    }
    assert data["backbone"] == {"name": "some/encoder", "scratch": None}


def test_stored_data_with_a_foreign_key_is_refused():
    data = config(MINIMAL).to_dict()
    data["train"] |= {"epoch": 3, "seed": -1}
    with pytest.raises(InvalidConfig) as caught:
        TrainingConfig.from_dict(data)
    assert str(caught.value).splitlines() == [
        "train.seed should be greater than or equal to 0, not -1",
        "unknown key train.epoch (did you mean train.epochs?)",
    ]


def test_a_recipe_says_how_its_files_are_read_as_the_command_line_does():
    data = "data: {train: train.csv, valid: valid.csv, columns: 'sentence=문장', offsets: exclusive, delimiter: tab}\n"
    reading = config("backbone: {name: some/encoder}\n" + data).data.reading
    assert reading == ReadOptions.parse(columns="sentence=문장", offsets="exclusive", delimiter="tab")


def test_a_wrong_way_to_read_files_is_refused_with_its_key():
    overrides = {"data.offsets": "exclusiv", "data.columns": "satz=문장", "data.delimiter": ";;"}
    assert [line.partition(":")[2].strip() for line in failures(MINIMAL, overrides)] == [
        "data.delimiter should be as in --delimiter: ';;' is not one character; write , ; | or tab",
        f"data.columns should be as in --columns: 'satz' is not a column of relex; it reads {', '.join(TARGETS)}",
        f"data.offsets should be as in --offsets: 'exclusiv' is none of {', '.join(OFFSETS)} (did you mean exclusive?)",
    ]
