"""Every recipe that ships trains, on backbones as small as a test wants and laid out as the real ones are."""

import json
from pathlib import Path

import pytest
import torch

from relex.model.checkpoint import load
from relex.training.recipe.config import load_config
from relex.training.recipe.reader import shipped_names
from relex.training.trainer import train
from tests.model.families import write
from tests.model.layouts import LAYOUTS
from tests.tiny_training import tiny_data

NAMES = shipped_names()


@pytest.fixture(scope="module", autouse=True)
def _here(tmp_path_factory):
    """One thread, and the files of base.yaml in the current folder."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("current"))
        Path("data").mkdir()
        for name in ("train_data.csv", "valid_data.csv"):
            Path("data", name).touch()
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def backbones(tmp_path_factory):
    """A folder for each backbone that a recipe names."""
    folder = tmp_path_factory.mktemp("hub")
    for name, layout in LAYOUTS.items():
        write(layout(), folder / name)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_trains(backbones, tmp_path, name):
    asked = load_config(name)
    few_steps = {"train.epochs": "1", "train.learning_rate": "1e-3", "train.precision": "fp32"}
    if asked.backbone.name:
        few_steps["backbone.name"] = str(backbones / asked.backbone.name)
    config = load_config(name, few_steps)
    train_examples, valid = tiny_data()
    report = []
    train(config, train_examples[:48], valid[:16], tmp_path / name, report.append)
    assert report[-1]["step"] == report[-1]["steps"] == -(-48 // asked.train.batch_size)
    relation = json.loads((tmp_path / name / "config.json").read_text())["relation"]
    assert (relation["scheme"], relation["pooling"]) == (asked.input.scheme, asked.pooling)
    loaded = load(tmp_path / name)
    unknown = loaded.encoder.tokenizer.unk_token_id
    assert all(unknown not in item.input_ids for item in loaded.encoder.encode(valid))
