"""The curves of a training can be looked at with TensorBoard while it runs, and after a kill."""

import struct
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from relex.training import callbacks, history
from relex.training.trainer import train
from tests.tiny_training import config, tiny_data

STEPS = 60


class Died(Exception):
    pass


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(history, "REPORT_SECONDS", 0)
    for name in ("train.csv", "valid.csv"):
        Path(name).write_text("whatever", "utf-8")


def events(folder):
    """All events of the folder, file by file; TensorBoard's files are length, checksum, event, checksum ..."""
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            yield Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]


def scalars(folder):
    return [(each.step, value.tag) for each in events(folder) for value in each.summary.value if "/" in value.tag]


def steps(folder, tag):
    return [step for step, name in scalars(folder) if name == tag]


def test_every_report_is_a_point(tmp_path):
    train(config(), *tiny_data(), tmp_path / "tiny", lambda _: None, tmp_path / "scratch")
    folder = tmp_path / "scratch" / "tensorboard"
    for tag in ("train/loss", "train/learning_rate"):
        assert steps(folder, tag) == list(range(1, STEPS + 1))
    for tag in ("eval/micro_f1", "eval/auprc"):
        assert steps(folder, tag) == [20, 40, 60]


def test_points_after_the_last_state_are_declared_void_when_they_are_drawn_again(tmp_path, monkeypatch):
    def report(output):
        if output["step"] == 25:
            raise Died

    monkeypatch.setattr(callbacks.CheckpointCallback, "_save_is_due", True)
    with pytest.raises(Died):
        train(config(), *tiny_data(), tmp_path / "tiny", report, tmp_path / "scratch")
    train(config(), *tiny_data(), tmp_path / "tiny", lambda _: None, tmp_path / "scratch")
    folder = tmp_path / "scratch" / "tensorboard"
    # The dead process may have taken its last point with it.
    assert set(steps(folder, "train/loss")) >= {*range(1, 24), *range(25, STEPS + 1)}
    restarts = [each.step for each in events(folder) if each.session_log.status]
    assert restarts == [1, 25]
