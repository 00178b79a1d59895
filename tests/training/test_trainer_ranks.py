"""Several processes train what one does: here on CPUs, as on the GPUs of one machine."""

import csv
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel, BertTokenizerFast

from relex.errors import InvalidConfig, InvalidCsv, RelexError
from relex.files.reading import read_labeled_examples
from relex.model.devices import resolve_device, resolve_gpus
from relex.model.folder import members
from relex.training import launcher
from relex.training.distributed import broadcast, process_group, rank
from relex.training.fitting import _arguments
from relex.training.launcher import DistributedLauncher, ranks, train_together
from relex.training.recipe.config import TrainingConfig
from tests.processes import environment, wait_until
from tests.tiny_training import config, tiny_data


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory):
    """The recipe's files in the current folder: each process reads them by itself."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("current")
        patch.chdir(folder)
        patch.setenv("OMP_NUM_THREADS", "1")
        train_examples, valid = tiny_data()
        write(folder / "train.csv", train_examples[:153])  # a fold's last batch is short, and one process has none
        write(folder / "valid.csv", valid)
        yield
    torch.set_num_threads(before)


def write(path, examples):
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "sentence", "subject_entity", "object_entity", "label", "source"])
        for each in examples:
            entities = [
                repr({"word": e.text, "start_idx": e.start, "end_idx": e.end - 1, "type": e.type})
                for e in (each.subject, each.object)
            ]
            out.writerow([each.id, each.sentence, *entities, each.label, each.source])


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """An encoder without dropout, which would draw other numbers in each process."""
    place = tmp_path_factory.mktemp("backbone")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"가나다라마바사"]
    (place / "vocab.txt").write_text("\n".join(words), "utf-8")
    BertTokenizerFast(vocab=str(place / "vocab.txt"), do_lower_case=False).save_pretrained(place)
    torch.manual_seed(3)
    quiet = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=64, **small, **quiet)).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def recipe(backbone):
    """Make a recipe of the files here: two folds, so that the processes also agree on what was done before."""

    def make(**train):
        sections = config(backbone={}, dropout=0.0).to_dict()
        sections["backbone"] = {"name": str(backbone)}
        sections["train"] |= {"save_minutes": 0.0, "folds": 2, "epochs": 2, **train}
        return TrainingConfig.from_dict(sections)

    return make


class Reports:
    """Keeps what was reported, and raises at a step."""

    def __init__(self, dies_at=None):
        self.history = []
        self.steps = []
        self._dies_at = dies_at

    def __call__(self, progress):
        self.history = progress["history"]
        self.steps.append(progress["step"])
        if self._dies_at and progress["step"] >= self._dies_at:
            raise Died


class Died(Exception):
    pass


def together(recipe, folder, report=lambda _: None, count=2):
    return train_together(recipe, folder, report, folder.with_name("scratch"), "cpu", ranks(count))


def alone(recipe, folder, report=lambda _: None):
    data = (read_labeled_examples(path) for path in (recipe.data.train, recipe.data.valid))
    return DistributedLauncher("cpu").train(recipe, *data, folder, report, folder.with_name("scratch"))


def children(parent):
    """The ids of the processes that this one started."""
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False)
    return [int(each) for each in found.stdout.split()]


def lives(process):
    return Path(f"/proc/{process}").exists()


def assert_equal(one, other):
    """Sums in another order differ in the last digits."""
    assert [each.keys() for each in one] == [each.keys() for each in other]
    for first, second in zip(one, other, strict=True):
        assert first == pytest.approx(second, abs=1e-5)


@pytest.fixture(scope="module")
def undisturbed(recipe, tmp_path_factory):
    """What one process comes to."""
    reports = Reports()
    folder = tmp_path_factory.mktemp("alone") / "model"
    return alone(recipe(), folder, reports), folder, reports.history


JOIN = """
import sys
from pathlib import Path
from relex.training.distributed import broadcast, process_group, rank
with process_group("cpu", Path(sys.argv[1])):
    assert broadcast([rank()]) == [0.0]
"""


def test_processes_agree_and_drop_different_numbers(tmp_path):
    """This process is the second one, and the first one is another."""
    first, second = ranks(2)
    meeting = tmp_path / "meeting"
    with subprocess.Popen([sys.executable, "-c", JOIN, str(meeting)], env={**environment(), **first}) as process:
        with ExitStack() as stack:
            with mock.patch.dict(os.environ, second):  # only while it joins: accelerate would keep what it reads here
                stack.enter_context(process_group("cpu", meeting))
            assert broadcast([rank()]) == [0.0]
            arguments = _arguments(config(train={"seed": 2**32 - 1}), tmp_path / "out", torch.device("cpu"))
        assert process.wait(60) == 0
    assert arguments.seed == 0
    assert _arguments(config(train={"seed": 2**32 - 1}), tmp_path / "out", torch.device("cpu")).seed == 2**32 - 1


TOGETHER = """
import json, sys
from pathlib import Path
from relex.training.recipe.config import TrainingConfig
from relex.training.launcher import ranks, train_together
recipe, folder = TrainingConfig.from_dict(json.loads(sys.argv[1])), Path(sys.argv[2])
report = lambda progress: folder.with_name("step").write_text(str(progress["step"]))
train_together(recipe, folder, report, folder.with_name("scratch"), "cpu", ranks(2))
"""


def test_two_processes_train_what_one_does_although_all_are_killed_midway(recipe, undisturbed, tmp_path):
    """No process outlives the one that started it; the next ones continue where these were."""
    step = tmp_path / "step"
    command = [sys.executable, "-c", TOGETHER, json.dumps(recipe().to_dict()), str(tmp_path / "model")]
    with subprocess.Popen(command, env=environment()) as parent:
        wait_until(lambda: step.exists() and int(step.read_text() or 0) > 20)
        started = children(parent.pid)
        assert len(started) == 2
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(map(lives, started)))
    assert not (tmp_path / "model").exists()
    reports = Reports()
    found = together(recipe(), tmp_path / "model", reports)
    assert reports.steps[0] > 1
    outcome, folder, history = undisturbed
    assert_equal(reports.history, history)
    assert found.micro_f1 == pytest.approx(outcome.micro_f1, abs=1e-6)
    for one, other in zip(members(folder), members(tmp_path / "model"), strict=True):
        weights, again = (load_file(each / "model.safetensors") for each in (one, other))
        for name, tensor in weights.items():
            assert torch.allclose(tensor, again[name], atol=1e-4), name
    files = [list(tmp_path.glob(f"scratch/*/fold-{number}.scratch/tensorboard/*")) for number in (1, 2)]
    assert [len(each) for each in files] == [1, 2]  # the first process alone writes; the second fold was continued


NEVER_ENDS = "import time; time.sleep(600)"
REPORTS_BY = (
    "import pathlib, json, sys; place = pathlib.Path(json.loads(pathlib.Path(sys.argv[1]).read_text())['reports']); "
)


@pytest.fixture
def pretend(monkeypatch):
    """Put a short program in a process's place; the other one never ends by itself, and neither outlives the test."""
    before = set(children(os.getpid()))

    def pretend(program):
        script = f"import os\nif os.environ['RANK'] == '1':\n    {NEVER_ENDS}\nelse:\n    {program}"
        monkeypatch.setattr(launcher, "RANK", ("-c", script))

    yield pretend
    assert set(children(os.getpid())) <= before


def test_what_the_report_raises_ends_all_processes(pretend, recipe, tmp_path):
    pretend(f"{REPORTS_BY}(place / 'progress.json').write_text(json.dumps(dict(step=7, history=[]))); {NEVER_ENDS}")
    with pytest.raises(Died):
        together(recipe(), tmp_path / "model", Reports(dies_at=7))


def test_the_error_of_one_process_ends_all_and_is_raised(pretend, recipe, tmp_path):
    pretend(f"{REPORTS_BY}(place / 'error.json').write_text(json.dumps(['InvalidCsv', 'line 3'])); sys.exit(1)")
    with pytest.raises(InvalidCsv, match="line 3"):
        together(recipe(), tmp_path / "model")


def test_a_process_that_dies_ends_the_training(pretend, recipe, tmp_path):
    pretend("os.kill(os.getpid(), 9)")
    with pytest.raises(RelexError, match="killed by signal 9"):
        together(recipe(), tmp_path / "model")


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_starts(recipe, tmp_path):
    with pytest.raises(InvalidConfig, match=r"train\.batch_size 8 cannot be shared by 3 GPUs evenly"):
        together(recipe(), tmp_path / "model", count=3)


def test_devices_are_those_of_this_machine():
    assert resolve_device("cpu").type == "cpu"
    assert resolve_gpus("cpu") == []
    for name in ("cuda:99", "nonsense"):
        with pytest.raises(InvalidConfig, match=f"device {name}: .*use auto, cpu or cuda"):
            resolve_device(name)
    with pytest.raises(InvalidConfig, match="device nonsense"):
        DistributedLauncher("nonsense")


@pytest.mark.parametrize(("visible", "expected"), [(None, "1"), ("4,7", "7")])
def test_one_gpu_of_several_is_the_only_one_that_its_process_sees(monkeypatch, visible, expected):
    """No GPU here: what torch would say of two is put in its place, and the process is only asked for."""
    asked = []
    monkeypatch.setattr(launcher, "resolve_device", lambda _: None)
    monkeypatch.setattr(launcher, "resolve_gpus", lambda _: [1])
    monkeypatch.setattr(launcher, "sees_several_gpus", lambda: True)
    monkeypatch.setattr(launcher, "train_together", lambda *order: asked.append(order[-2:]))
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    else:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    DistributedLauncher("cuda:1").train(config(), [], [], Path("model"), lambda _: None, Path("scratch"))
    assert asked == [("cuda", [{"CUDA_VISIBLE_DEVICES": expected}])]
