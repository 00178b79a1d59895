"""The recipes that ship with relex are what their comments say."""

import pytest

from relex.training.config import load_config
from relex.training.recipes import SHIPPED

NAMES = sorted(path.stem for path in SHIPPED.glob("*.yaml"))


@pytest.fixture(autouse=True)
def _data_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("train_data.csv", "valid_data.csv"):
        (tmp_path / "data" / name).touch()


def test_these_ship():
    assert NAMES == ["base", "large_focal", "scratch"]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_recipe_is_whole(name):
    config = load_config(name)
    assert config == load_config(f"{name}.yaml")
    assert config.name == name
    assert config.input.scheme == "typed_entity_marker"


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
