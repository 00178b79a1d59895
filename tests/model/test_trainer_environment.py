"""A training under variables that were meant for another program: it neither waits for others nor ends otherwise."""

import json
import subprocess
import sys

import pytest

from relex.environment import RULES, Decision
from tests.processes import environment

TRAIN = """
import json, sys
from pathlib import Path
from relex.environment import isolate
isolate()
from relex.training.launcher import Launcher
from tests.tiny_training import config, tiny_data
history = []
place = Path(sys.argv[1])
for path in ("train.csv", "valid.csv"):
    Path(place, path).write_text("")
recipe = config(data={name: str(place / f"{name}.csv") for name in ("train", "valid")}, train={"epochs": 1})
report = lambda progress: history.append([(each["epoch"], each["loss"]) for each in progress["history"]])
Launcher("cpu").train(recipe, *tiny_data(), place / "model", report, place / "scratch")
print(json.dumps(history[-1]))
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


def test_a_training_takes_nothing_from_variables_of_other_programs(tmp_path):
    others = [name for rule in RULES if rule.decision is Decision.CLEARED for name in rule.patterns if "*" not in name]
    histories = []
    for number, variables in enumerate(({}, dict.fromkeys(others, "nonsense") | HOSTILE)):
        folder = tmp_path / str(number)
        folder.mkdir()
        env = environment() | {"OMP_NUM_THREADS": "1"} | variables
        command = [sys.executable, "-c", TRAIN, str(folder)]
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        histories.append(json.loads(done.stdout.splitlines()[-1]))
    assert histories[0]
    # bf16 or another batch size would show in the third digit; the last bits differ between two processes at times.
    assert [loss for _, loss in histories[1]] == pytest.approx([loss for _, loss in histories[0]], rel=1e-5)
    assert [epoch for epoch, _ in histories[1]] == [epoch for epoch, _ in histories[0]]
