"""A training that dies at any step and is taken up again ends as if it had not died: equal losses, equal weights."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from relex.training import callbacks, history
from relex.training.trainer import train
from tests.processes import environment
from tests.tiny_training import config, tiny_data

STEPS = 36


class Died(Exception):
    pass


class Report:
    """Remembers the loss of every step, and dies where it is asked to."""

    def __init__(self, dies_at=None):
        self.losses = {}
        self.history = []
        self._dies_at = dies_at

    def __call__(self, output):
        self.losses[output["step"]] = output["loss"]
        self.history = output["history"]
        if output["step"] == self._dies_at:
            raise Died


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory):
    """One thread, the recipe's files in the current folder, a report at every step, a clock that counts looks at it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("current"))
        for name in ("train.csv", "valid.csv"):
            Path(name).write_text("whatever", "utf-8")
        patch.setattr(history, "REPORT_SECONDS", 0)
        patch.setattr(callbacks, "time", SimpleNamespace(monotonic=itertools.count().__next__))
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data():
    return little_data()


def little_data():
    """Twelve batches an epoch."""
    train_examples, valid = tiny_data()
    return train_examples[:96], valid[:30]


def recipe(steps_a_save=7, **train):
    """A state is kept about so often: what came after it must be done again."""
    return config(
        train={"save_minutes": steps_a_save / 60, "entity_mask_prob": 0.3, "entity_replace_prob": 0.4, **train}
    )


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "tiny"
    output = Report()
    outcome = train(recipe(), *data, folder, output)
    assert sorted(output.losses) == list(range(1, STEPS + 1))
    assert len(set(output.losses.values())) == STEPS
    return outcome, output, weights(folder)


def is_as_if_undisturbed(undisturbed, resumed, outcome, folder):
    expected, output, expected_weights = undisturbed
    assert resumed.losses.items() <= output.losses.items()
    assert resumed.history == output.history
    assert weights(folder) == expected_weights
    assert outcome == expected


@pytest.mark.parametrize(
    ("dies_at", "steps_a_save", "resumes_after"),
    [(3, 7, 0), (12, 7, 7), (14, 6, 12), (STEPS - 1, 7, 33)],
    ids=["before any state", "at an epoch's end", "after an epoch's end", "at the last step but one"],
)
def test_a_death_leaves_no_trace(undisturbed, data, tmp_path, dies_at, steps_a_save, resumes_after):
    dying, resumed = Report(dies_at), Report()
    with pytest.raises(Died):
        train(recipe(steps_a_save), *data, tmp_path / "tiny", dying, tmp_path / "scratch")
    assert not (tmp_path / "tiny").exists()
    outcome = train(recipe(steps_a_save), *data, tmp_path / "tiny", resumed, tmp_path / "scratch")
    assert (min(resumed.losses), max(resumed.losses)) == (resumes_after + 1, STEPS)
    is_as_if_undisturbed(undisturbed, resumed, outcome, tmp_path / "tiny")


def test_a_death_leaves_no_trace_in_bf16(data, tmp_path):
    """The faster operations of a CPU draw their dropout from the state that a resumed run restores."""
    half = recipe(precision="bf16")
    undisturbed, dying, resumed = Report(), Report(dies_at=17), Report()
    expected = train(half, *data, tmp_path / "undisturbed", undisturbed)
    with pytest.raises(Died):
        train(half, *data, tmp_path / "tiny", dying, tmp_path / "scratch")
    outcome = train(half, *data, tmp_path / "tiny", resumed, tmp_path / "scratch")
    assert 1 < min(resumed.losses) <= 17
    assert len(set(undisturbed.losses.values())) == STEPS
    is_as_if_undisturbed(
        (expected, undisturbed, weights(tmp_path / "undisturbed")), resumed, outcome, tmp_path / "tiny"
    )


def test_kill_9_leaves_no_trace(undisturbed, data, tmp_path):
    dies_at = random.Random(7).randrange(STEPS // 2, STEPS)
    code = f"from tests.training.test_trainer_resume import kill_myself; kill_myself({str(tmp_path)!r}, {dies_at})"
    ended = subprocess.run([sys.executable, "-c", code], env=environment() | {"OMP_NUM_THREADS": "1"}, check=False)
    assert ended.returncode == -signal.SIGKILL
    dying = {int(step): loss for step, loss in json.loads((tmp_path / "losses.json").read_text()).items()}
    assert max(dying) == dies_at
    assert dying.items() <= undisturbed[1].losses.items()
    resumed = Report()
    outcome = train(recipe(), *data, tmp_path / "tiny", resumed, tmp_path / "scratch")
    assert dies_at - 8 <= min(resumed.losses) <= dies_at
    is_as_if_undisturbed(undisturbed, resumed, outcome, tmp_path / "tiny")


def kill_myself(folder, dies_at):
    """What the killed process of the test above does."""
    torch.set_num_threads(1)
    history.REPORT_SECONDS = 0
    callbacks.time = SimpleNamespace(monotonic=itertools.count().__next__)
    losses = {}

    def report(output):
        losses[output["step"]] = output["loss"]
        if output["step"] == dies_at:
            (Path(folder) / "losses.json").write_text(json.dumps(losses))
            os.kill(os.getpid(), signal.SIGKILL)

    train(recipe(), *little_data(), Path(folder) / "tiny", report, Path(folder) / "scratch")


def test_only_the_newest_state_and_the_best_weights_are_kept(data, tmp_path):
    seen = []

    def report(_):
        seen.append([len(list(tmp_path.glob(f"scratch/{name}-*"))) for name in ("checkpoint", "best")])

    train(recipe(2), *data, tmp_path / "tiny", report, tmp_path / "scratch")
    states, best = (max(counts) for counts in zip(*seen, strict=True))
    assert states == 1
    # Until the next state is sealed, the weights of the best epoch that the last one knows stand beside newer ones.
    assert best in (1, 2)
    kept = sorted(path.name.split("-")[0] for path in tmp_path.glob("scratch/*"))
    assert kept == ["best", "checkpoint", "tensorboard"]


def test_a_finished_training_is_not_done_again(data, tmp_path):
    impatient = config(train={"save_minutes": 0, "epochs": 8, "patience": 1})
    first = train(impatient, *data, tmp_path / "first", Report(), tmp_path / "scratch")
    again = Report()
    second = train(impatient, *data, tmp_path / "second", again, tmp_path / "scratch")
    assert again.losses == {}
    assert first == second
    assert 1 < first.epochs < 8
    assert weights(tmp_path / "first") == weights(tmp_path / "second")


def test_the_mean_loss_of_an_epoch_counts_the_steps_before_the_death(undisturbed, data, tmp_path, monkeypatch):
    monkeypatch.setattr(history, "REPORT_SECONDS", 1e9)
    dying, resumed = Report(dies_at=20), Report()
    with pytest.raises(Died):
        train(recipe(4), *data, tmp_path / "tiny", dying, tmp_path / "scratch")
    train(recipe(4), *data, tmp_path / "tiny", resumed, tmp_path / "scratch")
    assert 13 < min(resumed.losses) <= 20
    losses = [epoch["loss"] for epoch in resumed.history]
    assert losses == pytest.approx([epoch["loss"] for epoch in undisturbed[1].history], rel=1e-6)


def test_a_state_of_another_recipe_or_of_other_examples_does_not_count(data, tmp_path):
    train(recipe(3), *data, tmp_path / "tiny", Report(), tmp_path / "scratch")
    for other_recipe, other_data in [(config(train={"seed": 1}), data), (recipe(3), (data[0][1:], data[1]))]:
        output = Report(dies_at=1)
        with pytest.raises(Died):
            train(other_recipe, *other_data, tmp_path / "tiny", output, tmp_path / "scratch")


def test_a_half_written_state_does_not_count(undisturbed, data, tmp_path):
    with pytest.raises(Died):
        train(recipe(3), *data, tmp_path / "tiny", Report(dies_at=11), tmp_path / "scratch")
    half = tmp_path / "scratch" / "checkpoint-999"
    half.mkdir()
    (half / "trainer_state.json").write_text("{")
    resumed = Report()
    outcome = train(recipe(3), *data, tmp_path / "tiny", resumed, tmp_path / "scratch")
    assert 1 < min(resumed.losses) <= 11
    is_as_if_undisturbed(undisturbed, resumed, outcome, tmp_path / "tiny")
    assert not half.exists()
