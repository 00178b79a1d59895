"""The recipes that ship with relex are what their comments say."""

import pytest

from relex.training.recipe.config import load_config
from relex.training.recipe.reader import shipped_names

NAMES = shipped_names()


@pytest.fixture(autouse=True)
def _data_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("train_data.csv", "valid_data.csv"):
        (tmp_path / "data" / name).touch()


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_recipe_is_whole(name):
    config = load_config(name)
    assert config == load_config(f"{name}.yaml")
    assert config.name == name


def changed(name, base):
    """The settings in which two recipes differ, with the first one's values."""
    settings, others = flat(load_config(name).to_dict()), flat(load_config(base).to_dict())
    return {key: settings[key] for key in settings if settings[key] != others[key] and key != "name"}


def flat(section, prefix=""):
    values = {}
    for key, value in section.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return values


LARGE = {"backbone.name": "klue/roberta-large"}
TUNED = {"loss.gamma": 1.0, "loss.alpha": 0.25, "loss.label_smoothing": 0.09}


@pytest.mark.parametrize(
    ("name", "base", "changes"),
    [
        ("large_focal_linear", "base", LARGE),
        ("large_focal_tuned_linear", "large_focal_linear", TUNED),
        ("large_focal", "large_focal_tuned_linear", {"train.scheduler": "cosine"}),
        ("large_punct", "large_focal", {"input.scheme": "typed_punct_marker", "input.type_sentence": True}),
        ("koelectra", "base", {"backbone.name": "monologg/koelectra-base-v3-discriminator"}),
        ("kobert", "base", {"backbone.name": "skt/kobert-base-v1"}),
        ("ax_encoder", "base", {"backbone.name": "skt/A.X-Encoder-base"}),
        ("kf_deberta", "base", {"backbone.name": "kakaobank/kf-deberta-base"}),
        ("ablation_1_cross_entropy", "base", {"input.scheme": "none", "pooling": "cls", "loss.name": "cross_entropy"}),
        ("ablation_2_focal", "ablation_1_cross_entropy", {"loss.name": "focal"}),
        ("ablation_3_markers", "ablation_2_focal", {"input.scheme": "entity_marker"}),
        ("ablation_4_types", "ablation_3_markers", {"input.scheme": "typed_entity_marker"}),
        ("ablation_5_mean", "ablation_4_types", {"pooling": "mean"}),
        ("ablation_5_max", "ablation_4_types", {"pooling": "max"}),
        ("ablation_5_attention", "ablation_4_types", {"pooling": "attention"}),
        ("ablation_6_cosine", "ablation_5_mean", {"train.scheduler": "cosine"}),
        ("ablation_5_mean", "base", {}),
    ],
)
def test_a_recipe_differs_from_the_one_before_in_what_its_comment_says(name, base, changes):
    assert changed(name, base) == changes


def test_large_focal_is_the_best_reported_row():
    config = load_config("large_focal")
    assert config.backbone.name == "klue/roberta-large"
    assert (config.loss.name, config.loss.gamma, config.loss.alpha) == ("focal", 1.0, 0.25)
    assert config.loss.label_smoothing == 0.09
    assert (config.train.scheduler, config.train.epochs, config.train.batch_size) == ("cosine", 10, 16)
    assert config.train.learning_rate == 3e-5
    assert (config.pooling, config.input.max_length) == ("mean", 160)


def test_scratch_needs_no_hub_and_fits_into_a_package():
    config = load_config("scratch")
    shape = config.backbone.scratch
    assert config.backbone.name is None
    assert config.save.dtype == "float16"
    layer = 4 * shape.hidden_size**2 + 2 * shape.hidden_size * shape.intermediate_size
    megabytes = 2 * (shape.vocabulary * shape.hidden_size + shape.layers * layer) / 1e6
    assert 3 < megabytes < 20
