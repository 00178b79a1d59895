"""Harmful files given as everything that relex reads: they are refused, and what they hold does not run."""

import json
import shutil

import pytest
import torch
from transformers import AutoModel, BertConfig, BertTokenizerFast

from relex.csvfile.checking import check
from relex.errors import BadCheckpoint, InvalidConfig, InvalidCsv
from relex.flows.importing import import_folder
from relex.flows.models import SHIPPED
from relex.model.checkpoint import load
from relex.model.classifier import RelationClassifier, backbone_tokenizer
from relex.model.config import ModelConfig
from relex.model.folder import READ_BY_SCORING
from relex.settings import Settings
from relex.training import keeper
from relex.training.config import load_config
from relex.training.trainer import train
from tests.tiny_training import config, tiny_data

PICKLES = ["weights.pkl", "best.pth", "pytorch_model.bin", "optimizer.pt", "labels.PICKLE", "last.ckpt"]

TINY = BertConfig(vocab_size=6, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2)


@pytest.fixture
def checkpoint(tmp_path):
    return shutil.copytree(SHIPPED / "starter", tmp_path / "checkpoint")


@pytest.fixture
def backbone(tmp_path):
    """A tiny encoder as the hub has them, with its tokenizer."""
    folder = tmp_path / "backbone"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "가"]), "utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    AutoModel.from_config(TINY).save_pretrained(folder)
    return folder


def open_backbone(folder):
    return RelationClassifier.from_backbone(str(folder), ModelConfig(), backbone_tokenizer(str(folder)))


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_in_a_checkpoint_is_refused(trap, database, checkpoint, tmp_path, name):
    (checkpoint / name).write_bytes(trap.pickle)
    with pytest.raises(BadCheckpoint, match="can run code"):
        import_folder(database, Settings(home=tmp_path / "home"), checkpoint, "evil")
    with pytest.raises(BadCheckpoint, match="can run code"):
        load(checkpoint)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", READ_BY_SCORING)
def test_a_pickle_under_the_name_of_a_checkpoints_file_is_refused(trap, checkpoint, name):
    (checkpoint / name).write_bytes(trap.pickle)
    with pytest.raises(BadCheckpoint, match="restore the folder"):
        load(checkpoint)


def test_code_beside_a_checkpoint_is_not_run(trap, checkpoint):
    (checkpoint / "modeling.py").write_text(trap.python)
    auto_map = {"AutoConfig": "modeling.C", "AutoModel": "modeling.M", "AutoTokenizer": ["modeling.T", "modeling.T"]}
    edit(checkpoint / "config.json", auto_map=auto_map)
    edit(checkpoint / "tokenizer_config.json", auto_map=auto_map)
    inner = json.loads((checkpoint / "config.json").read_text("utf-8"))["backbone"]
    edit(checkpoint / "config.json", backbone=inner | {"auto_map": auto_map})
    assert len(load(checkpoint).labels) == 30


def test_a_backbone_of_pickles_alone_is_refused_with_the_remedy(trap, backbone):
    (backbone / "model.safetensors").unlink()
    (backbone / "pytorch_model.bin").write_bytes(trap.pickle)
    with pytest.raises(InvalidConfig, match=r"no weights in safetensors.*docs/security\.md"):
        open_backbone(backbone)


def test_honest_tensors_in_a_pickle_are_refused_too(backbone):
    (backbone / "model.safetensors").unlink()
    torch.save(AutoModel.from_config(TINY).state_dict(), backbone / "pytorch_model.bin")
    with pytest.raises(InvalidConfig, match="no weights in safetensors"):
        open_backbone(backbone)


def test_a_pickle_beside_a_backbones_safetensors_is_not_opened(trap, backbone):
    for name in PICKLES:
        (backbone / name).write_bytes(trap.pickle)
    assert open_backbone(backbone).backbone.config.hidden_size == 16


def test_a_pickle_named_safetensors_is_refused(trap, backbone):
    (backbone / "model.safetensors").write_bytes(trap.pickle)
    with pytest.raises(InvalidConfig, match="backbone "):
        open_backbone(backbone)


@pytest.mark.parametrize("model_type", ["bert", "evil"])
def test_code_beside_a_backbone_is_not_run_and_nobody_is_asked(trap, backbone, monkeypatch, model_type):
    monkeypatch.setattr("builtins.input", lambda *_: "yes")
    (backbone / "modeling.py").write_text(trap.python)
    auto_map = {"AutoConfig": "modeling.C", "AutoModel": "modeling.M", "AutoTokenizer": ["modeling.T", "modeling.T"]}
    edit(backbone / "config.json", auto_map=auto_map, model_type=model_type)
    edit(backbone / "tokenizer_config.json", auto_map=auto_map)
    if model_type == "bert":
        assert open_backbone(backbone).backbone.config.hidden_size == 16
    else:
        with pytest.raises(InvalidConfig):
            open_backbone(backbone)


def test_a_recipe_cannot_make_objects(trap, tmp_path):
    recipe = tmp_path / "evil.yaml"
    recipe.write_text(trap.yaml)
    with pytest.raises(InvalidConfig, match=r"evil\.yaml:1"):
        load_config(str(recipe))
    with pytest.raises(InvalidConfig, match="--set"):
        load_config("base", {"name": trap.yaml.removeprefix("name: ").strip()})


def test_a_pickle_as_recipe_or_csv_is_refused(trap, tmp_path):
    evil = tmp_path / "evil.pkl"
    evil.write_bytes(trap.pickle)
    with pytest.raises(InvalidConfig, match=r"evil\.pkl"):
        load_config(str(evil))
    with pytest.raises(InvalidCsv, match=r"evil\.pkl"):
        check(evil)


def test_an_entity_cannot_run_code(trap, tmp_path):
    path = tmp_path / "evil.csv"
    entity = f"__import__('os').mkdir('{trap.mark}')"
    path.write_text(f'id,sentence,subject_entity,object_entity\n1,가,"{entity}","{entity}"\n', "utf-8")
    facts = check(path)
    assert (facts.rows, facts.rejected) == (1, 1)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"])
def test_a_training_state_runs_nothing(trap, tmp_path, monkeypatch, name):
    """transformers reads its own state by torch's restricted unpickler, and training_args.bin never."""

    class Died(Exception):
        pass

    def dying(told):
        if told["step"] == 5:
            raise Died

    monkeypatch.chdir(tmp_path)
    (tmp_path / "valid.csv").touch()
    monkeypatch.setattr(keeper.Keeper, "_save_is_due", True)
    monkeypatch.setattr("relex.training.logbook.REPORT_SECONDS", 0)
    examples, valid = tiny_data()
    recipe = config(train={"epochs": 1})
    arguments = (recipe, examples[:80], valid[:20], tmp_path / "tiny")
    with pytest.raises(Died):
        train(*arguments, dying, tmp_path / "scratch")
    [state] = (tmp_path / "scratch").glob("checkpoint-*")
    assert (state / name).is_file()
    (state / name).write_bytes(trap.pickle)
    if name == "training_args.bin":
        train(*arguments, lambda _: None, tmp_path / "scratch")
    else:
        with pytest.raises(Exception, match=r"(?i)weights.only"):
            train(*arguments, lambda _: None, tmp_path / "scratch")
