"""Backbones as the hub really serves them, by the real download code against a stand-in of the hub."""

import hashlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load

from relex.errors import InvalidConfig, RelexError
from relex.model import pickled
from relex.model.hub import _keep_conversion, backbone_folder, weights_folder
from relex.training.model_factory import build_classifier
from relex.training.recipe.config import load_config
from relex.training.recipe.reader import shipped_names
from tests.factories import example
from tests.hub import Pull, Repository, commit_of
from tests.model import layouts
from tests.model.layouts import NAME, opened, safe, weight
from tests.processes import ROOT
from tests.security.payloads import Trap


def test_the_layout_of_every_recipes_own_backbone_is_known(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert {load_config(recipe).backbone.name for recipe in shipped_names()} == {None, *layouts.LAYOUTS}
    assert load_config("large_focal.yaml").backbone.name == "klue/roberta-large"


@pytest.mark.parametrize("name", sorted(layouts.LAYOUTS))
def test_every_recipes_own_backbone_can_be_had_in_one_command(hub, cache, monkeypatch, name):
    monkeypatch.chdir(ROOT)
    config = load_config("base", {"backbone.name": name})
    monkeypatch.chdir(cache)
    files = layouts.LAYOUTS[name]()
    if name == "pretrained/e5-ko/backbone":  # a folder
        (cache / name).mkdir(parents=True)
        for file, content in files.items():
            (cache / name / file).write_bytes(content)
    else:
        pulls = [Pull({"model.safetensors": layouts.klue(kind="model.safetensors")["model.safetensors"]})]
        hub.repositories[name] = Repository(files, pulls if name == "klue/roberta-large" else [])
    examples = [example(number, "no_relation") for number in range(4)]
    model, tokenizer = build_classifier(config, examples)
    encoded = model.encoder(tokenizer).encode(examples)
    words = tokenizer.convert_ids_to_tokens(encoded[0].input_ids)
    assert words[0] == "[CLS]"
    assert words[-1] == "[SEP]"
    assert "[UNK]" not in words
    assert tokenizer.decode(encoded[0].input_ids[slice(*encoded[0].object)]).replace(" ", "") == "김0"
    pretrained = digests_of(next(content for file, content in files.items() if file.endswith((".bin", ".safetensors"))))
    resized = model.get_input_embeddings().weight
    assert all(digest_of(each) in pretrained for each in model.backbone.parameters() if each is not resized)


def digest_of(tensor):
    return hashlib.sha256(tensor.detach().contiguous().numpy().tobytes()).hexdigest()


def digests_of(content):
    state = torch.load(io.BytesIO(content), weights_only=True) if content[:2] == b"PK" else load(content)
    return {digest_of(tensor) for tensor in state.values()}


def test_a_process_finds_the_hub_by_its_variables(hub, cache):
    hub.repositories[NAME] = Repository(safe())
    code = f"from relex.model.hub import weights_folder; print(weights_folder({NAME!r}))"
    variables = {"HF_ENDPOINT": hub.url, "HF_HOME": str(cache / "home"), "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout.strip().endswith(commit_of(safe()))
    assert said.stdout.startswith(str(cache / "home"))


def test_safetensors_of_the_main_revision_come_first(hub):
    files = safe() | {"pytorch_model.bin": b"never fetched"}
    hub.repositories[NAME] = Repository(files, [Pull({"model.safetensors": b"never fetched"})])
    assert weight() == 0.1
    assert hub.downloads()["pytorch_model.bin"] == hub.asked("/discussions") == 0


def conversion(filled, **fields):
    return Pull({"model.safetensors": layouts.klue(filled, "model.safetensors")["model.safetensors"]}, **fields)


def test_the_hubs_own_conversion_comes_before_the_pickle(hub):
    hub.repositories[NAME] = Repository(layouts.klue(0.1), [conversion(0.2, author="somebody"), conversion(0.3)])
    assert weight() == 0.3
    assert hub.downloads()["pytorch_model.bin"] == 0
    assert weight() == 0.3
    assert hub.downloads()["model.safetensors"] == hub.asked("/discussions") == 1


def test_processes_that_find_a_conversion_at_once_keep_it_whole(tmp_path):
    fetched, converted = tmp_path / "fetched", tmp_path / "converted"
    fetched.mkdir()
    for number in range(20):
        (fetched / f"model-{number}.safetensors").touch()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: _keep_conversion(fetched, converted), range(16))) == {converted}
    assert {path.name for path in converted.iterdir()} == {path.name for path in fetched.iterdir()}
    shutil.rmtree(fetched)  # a cache that was emptied
    fetched.mkdir()
    (fetched / "model.safetensors").touch()
    assert [path.name for path in _keep_conversion(fetched, converted).iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    "pulls",
    [[conversion(0.2, author="somebody")], [conversion(0.2, parent="0" * 40)], None],
    ids=["of anybody", "of another commit", "of a mirror that knows none"],
)
def test_a_conversion_that_is_not_the_hubs_own_of_this_commit_does_not_count(hub, cache, monkeypatch, pulls):
    hub.repositories[NAME] = Repository(layouts.klue(), pulls or [])
    if pulls is None:
        monkeypatch.setattr("tests.hub._discussions", lambda *_: {"error": "not found"})
    converted = []
    monkeypatch.setattr(pickled, "convert", lambda *parts: converted.append(parts) or cache)
    assert weights_folder(NAME) == cache
    [(_, [file], _)] = converted
    assert file.name == "pytorch_model.bin"
    assert hub.downloads()["model.safetensors"] == 0


def test_weights_in_several_pickles_are_one(hub):
    files = layouts.klue(0.1)
    weights = torch.load(io.BytesIO(files.pop("pytorch_model.bin")), weights_only=True)
    for number in range(2):
        part = dict(list(weights.items())[number::2])
        files[f"pytorch_model-0000{number + 1}-of-00002.bin"] = layouts.pickled(part)
    hub.repositories[NAME] = Repository(files)
    assert weight() == 0.1


@pytest.mark.parametrize(
    ("kind", "away"),
    [("safetensors", "hub"), ("safetensors", "network"), ("conversion", "hub"), ("pickle", "network")],
)
def test_what_was_fetched_once_is_opened_without_the_hub(hub, monkeypatch, kind, away):
    files = layouts.klue(0.1, "model.safetensors" if kind == "safetensors" else "pytorch_model.bin")
    hub.repositories[NAME] = Repository(files, [conversion(0.1)] if kind == "conversion" else [])
    assert weight() == 0.1
    before = hub.downloads()
    assert weight() == 0.1
    assert hub.downloads() == before
    if away == "hub":
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    else:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.requests)
    assert weight() == 0.1
    assert len(hub.requests) == asked


@pytest.mark.hint("models.unreadable_pickle")
def test_a_harmful_pickle_on_the_hub_runs_nothing(hub, cache):
    trap = Trap(cache)
    assert trap.works()
    hub.repositories[NAME] = Repository(layouts.klue() | {"pytorch_model.bin": trap.pickle})
    with pytest.raises(InvalidConfig, match=r"refuses pytorch_model\.bin.*choose another backbone"):
        opened()
    assert not trap.went_off
    assert not list((cache / "assets").rglob("*.safetensors"))


def test_a_conversion_that_dies_is_reported_in_one_line_and_leaves_nothing(hub, cache, monkeypatch):
    (cache / "child.py").write_text("import os, sys; open(sys.argv[1], 'w').write('half'); os.kill(os.getpid(), 9)")
    monkeypatch.setattr(pickled, "CHILD", cache / "child.py")
    hub.repositories[NAME] = Repository(layouts.klue())
    with pytest.raises(RelexError, match="converts its weights died: signal 9: did memory run out"):
        opened()
    assert not [path for path in (cache / "assets").rglob("*") if path.suffix in {".safetensors", ".unfinished"}]


def test_a_model_without_weights_is_reported(hub):
    files = layouts.klue()
    del files["pytorch_model.bin"]
    hub.repositories[NAME] = Repository(files)
    with pytest.raises(InvalidConfig, match="no weights, neither in safetensors nor as"):
        opened()


def test_what_a_killed_conversion_left_is_cleared_and_what_is_kept_says_what_it_was_made_of(hub, cache, caplog):
    caplog.set_level(logging.INFO, "relex")
    files = layouts.klue(0.1)
    hub.repositories[NAME] = Repository(files)
    kept = cache / "assets" / "relex" / "backbones" / NAME.replace("/", "--") / commit_of(files)
    left = kept.with_name(f"{kept.name}.unfinished")
    left.mkdir(parents=True)
    (left / pickled.WEIGHTS).write_text("half")
    assert weight() == 0.1
    assert not left.exists()
    assert weights_folder(NAME) == kept
    made_of = json.loads((kept / pickled.SOURCE).read_text("utf-8"))
    digest = hashlib.sha256(files["pytorch_model.bin"]).hexdigest()
    assert made_of == {"backbone": NAME, "sha256": {"pytorch_model.bin": digest}}
    assert f"read pytorch_model.bin (sha256 {digest}) with torch's restricted loader" in caplog.text
    assert backbone_folder(NAME).name == commit_of(files)
