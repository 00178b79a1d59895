"""Harmful files given as everything that relex reads: they are refused, and what they hold does not run."""

import json
import shutil
import socket

import pytest
import torch
from transformers import AutoModel, BertConfig, BertTokenizerFast

from relex.errors import BadCheckpoint, InvalidConfig, InvalidCsv
from relex.files.validation import check_table
from relex.model import pickled
from relex.model.checkpoint import load
from relex.model.classifier import RelationClassifier
from relex.model.config import ModelConfig
from relex.model.folder import READ_BY_SCORING
from relex.model.tokenizer import backbone_tokenizer
from relex.registry.importing import import_folder
from relex.registry.model_versions import SHIPPED
from relex.settings import Settings
from relex.training import callbacks
from relex.training.recipe.config import load_config
from relex.training.trainer import train
from tests.security.payloads import Payload
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


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_ASSETS_CACHE", str(tmp_path / "assets"))
    return tmp_path / "assets"


@pytest.mark.parametrize("how", ["plain", "in an archive of torch"])
def test_a_backbone_whose_pickle_asks_for_more_than_tensors_is_refused_and_runs_nothing(trap, backbone, cache, how):
    (backbone / "model.safetensors").unlink()
    (backbone / "pytorch_model.bin").write_bytes(trap.pickle)
    if how != "plain":
        torch.save({"weights": Payload(trap.mark)}, backbone / "pytorch_model.bin")
    with pytest.raises(InvalidConfig, match=r"restricted loader refuses pytorch_model\.bin"):
        open_backbone(backbone)
    assert not list(cache.rglob("*.safetensors"))
    assert not list(cache.rglob("*.unfinished"))


def test_honest_tensors_in_a_pickle_are_read_once(backbone, cache, monkeypatch):
    weights = AutoModel.from_pretrained(backbone).state_dict()
    (backbone / "model.safetensors").unlink()
    shared = {**weights, "again": next(iter(weights.values()))}
    torch.save(shared, backbone / "pytorch_model.bin")
    model = open_backbone(backbone)
    read = model.backbone.state_dict()
    assert all(torch.equal(read[name][: len(tensor)], tensor) for name, tensor in weights.items() if name in read)
    monkeypatch.setattr(pickled, "_run", lambda *_: pytest.fail("read again"))
    open_backbone(backbone)
    assert [path.name for path in backbone.glob("*.safetensors")] == []  # the person's folder stays as it is


def test_the_process_that_reads_pickles_has_neither_network_nor_rights_nor_secrets(tmp_path, monkeypatch):
    """As it is confined when the file is opened, and what it still could do if the loader had a hole."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("RELEX_DATABASE_URL", "postgresql://somebody:secret@localhost/x")
    script = tmp_path / "unpickle.py"
    script.write_text(TRIES.format(child=str(pickled.CHILD)), "utf-8")
    monkeypatch.setattr(pickled, "CHILD", script)
    with socket.create_server(("127.0.0.1", 0)) as server:
        script.write_text(script.read_text("utf-8").replace("PORT", str(server.getsockname()[1])), "utf-8")
        with pytest.raises(InvalidConfig) as refused:
            pickled.convert("x", [script], tmp_path / "out")
    tried = json.loads(str(refused.value).split("refuses unpickle.py: ")[1].split("; choose")[0])
    assert tried.pop("secrets") == []
    alone = tried.pop("confined").startswith("in a process with a network of its own")
    below = tried.pop("connect below Python")
    assert set(tried.values()) == {"PermissionError"}, tried
    assert below == ("unreachable" if alone else below)


TRIES = """
import ctypes, importlib.util, json, os, pickle, socket, struct, subprocess, sys
spec = importlib.util.spec_from_file_location("child", {child!r})
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
connect = ctypes.CDLL(None, use_errno=True).connect
libc_socket = ctypes.CDLL(None).socket
said = {{"confined": child.leave_network([])}}
child.sys.addaudithook(child.refuse_the_rest)
tries = {{
    "socket": lambda: socket.create_connection(("127.0.0.1", PORT), 5),
    "name": lambda: socket.getaddrinfo("localhost", 80),
    "program": lambda: subprocess.run(["true"]),
    "shell": lambda: os.system("true"),
    "fork": os.fork,
    "write": lambda: open("written", "w"),
    "append": lambda: os.open("written", os.O_WRONLY | os.O_CREAT),
    "folder": lambda: os.mkdir("made"),
    "remove": lambda: os.remove(sys.argv[2]),
    "rename": lambda: os.rename(sys.argv[2], "moved"),
    "pickle": lambda: pickle.loads(pickle.dumps(os.getcwd)),
    "library": lambda: ctypes.CDLL("libc.so.6"),
}}
for name, tried in tries.items():
    try:
        tried()
        said[name] = "done"
    except Exception as error:
        said[name] = type(error).__name__
said["secrets"] = [key for key, value in os.environ.items() if "secret" in value]
address = struct.pack("<H", 2) + struct.pack(">H", PORT) + bytes([127, 0, 0, 1]) + bytes(8)
said["connect below Python"] = "reached" if connect(libc_socket(2, 1, 0), address, 16) == 0 else "unreachable"
print(json.dumps({{"refused": json.dumps(said)}}))
sys.exit(1)
"""


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
        check_table(evil)


def test_an_entity_cannot_run_code(trap, tmp_path):
    path = tmp_path / "evil.csv"
    entity = f"{{'word': __import__('os').mkdir('{trap.mark}')}}"
    path.write_text(f'id,sentence,subject_entity,object_entity\n1,가,"{entity}","{entity}"\n', "utf-8")
    facts = check_table(path)
    assert (facts.rows, facts.rejected) == (1, 1)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"])
def test_a_training_state_runs_nothing(trap, tmp_path, monkeypatch, name):
    """transformers reads its own state by torch's restricted unpickler, and training_args.bin never."""

    class Died(Exception):
        pass

    def dying(report):
        if report["step"] == 5:
            raise Died

    monkeypatch.chdir(tmp_path)
    for file in ("train.csv", "valid.csv"):
        (tmp_path / file).touch()
    monkeypatch.setattr(callbacks.CheckpointCallback, "_save_is_due", True)
    monkeypatch.setattr("relex.training.history.REPORT_SECONDS", 0)
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
