"""A training under variables that were meant for another program: it neither waits for others nor ends otherwise."""

import json
import subprocess
import sys

import pytest

from relex.environment import RULES, Decision
from relex.training.launcher import DistributedLauncher
from tests.processes import environment
from tests.tiny_training import config, tiny_data

TRAIN = """
import json, sys
from pathlib import Path
from relex.environment import isolate
isolate()
from tests.training.test_trainer_environment import trained
print(json.dumps(trained(Path(sys.argv[1]))))
"""
HOSTILE = {
    "WORLD_SIZE": "2",
    "RANK": "0",
    "LOCAL_RANK": "0",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "1",
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "7",
    "ACCELERATE_USE_FSDP": "true",
    "ACCELERATE_TORCH_DEVICE": "meta",
    "KUBEFLOW_TRAINER_SERVER_URL": "https://127.0.0.1:1",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
}


def trained(folder):
    """Epochs and losses of a short training whose files lie in a folder."""
    history = []
    for path in ("train.csv", "valid.csv"):
        (folder / path).write_text("")
    recipe = config(data={name: str(folder / f"{name}.csv") for name in ("train", "valid")}, train={"epochs": 1})

    def report(progress):
        history[:] = [(each["epoch"], each["loss"]) for each in progress["history"]]

    DistributedLauncher("cpu").train(recipe, *tiny_data(), folder / "model", report, folder / "scratch")
    return history


def test_a_training_takes_nothing_from_variables_of_other_programs(tmp_path):
    others = [name for rule in RULES if rule.decision is Decision.CLEARED for name in rule.patterns if "*" not in name]
    expected = trained(folder_of(tmp_path, "undisturbed"))
    folder = folder_of(tmp_path, "disturbed")
    env = environment() | {"OMP_NUM_THREADS": "1"} | dict.fromkeys(others, "nonsense") | HOSTILE
    command = [sys.executable, "-c", TRAIN, str(folder)]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    history = json.loads(done.stdout.splitlines()[-1])
    assert expected
    # bf16 or another batch size would show in the third digit; the last bits differ between two processes at times.
    assert [loss for _, loss in history] == pytest.approx([loss for _, loss in expected], rel=1e-5)
    assert [epoch for epoch, _ in history] == [epoch for epoch, _ in expected]


def folder_of(parent, name):
    """Make a folder and return it."""
    folder = parent / name
    folder.mkdir()
    return folder
