"""A checkpoint folder is looked at by name and digest; nothing in it is ever run."""

import hashlib
import json

import pytest

from relex.errors import BadCheckpoint
from relex.model.folder import READ_BY_SCORING, check, digests, read_labels, read_metrics, verify


@pytest.fixture
def folder(tmp_path):
    for name in READ_BY_SCORING:
        (tmp_path / name).write_text(f"text of {name}", "utf-8")
    return tmp_path


def test_digests_are_those_of_the_four_files(folder):
    (folder / "README.md").write_text("a model card", "utf-8")
    expected = {name: hashlib.sha256(f"text of {name}".encode()).hexdigest() for name in READ_BY_SCORING}
    assert digests(folder) == expected
    assert len(expected) == 4
    verify(folder, expected)


@pytest.mark.parametrize("name", READ_BY_SCORING)
def test_one_altered_byte_is_found_and_named(folder, name):
    registered = digests(folder)
    (folder / name).write_text(f"Text of {name}", "utf-8")
    with pytest.raises(BadCheckpoint, match=rf": {name} altered since"):
        verify(folder, registered)


def test_every_missing_file_is_named_at_once(folder):
    (folder / "model.safetensors").unlink()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BadCheckpoint, match=r"missing model\.safetensors, tokenizer\.json;"):
        digests(folder)


def test_a_file_that_vanishes_between_two_looks_is_a_bad_checkpoint(folder, monkeypatch):
    monkeypatch.setattr("relex.model.folder.check", lambda folder: (folder / "config.json").unlink())
    with pytest.raises(BadCheckpoint, match=r"config\.json: No such file"):
        digests(folder)


def test_a_digest_that_was_never_registered_does_not_pass(folder):
    registered = digests(folder)
    del registered["model.safetensors"]
    with pytest.raises(BadCheckpoint, match=r"model\.safetensors altered"):
        verify(folder, registered)


@pytest.mark.parametrize("name", ["best_model.pth", "dict_num_to_label.pkl", "pytorch_model.bin", "WEIGHTS.PT"])
def test_pickles_are_refused_without_being_opened(tmp_path, name):
    # A folder has the right name but cannot be read as a file: opening it would raise something else.
    (tmp_path / name).mkdir()
    with pytest.raises(BadCheckpoint, match=rf"{name} can run code when opened.*convert"):
        check(tmp_path)


def test_a_pickle_beside_good_weights_is_refused_too(folder):
    (folder / "label.pkl").touch()
    with pytest.raises(BadCheckpoint, match=r"label\.pkl"):
        digests(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(BadCheckpoint, match="nowhere: no such folder"):
        check(tmp_path / "nowhere")


def test_labels_come_in_the_order_of_their_numbers(tmp_path):
    names = [f"label-{number}" for number in range(12)]
    shuffled = {str(number): names[number] for number in sorted(range(12), key=str)}
    (tmp_path / "config.json").write_text(json.dumps({"id2label": shuffled}), "utf-8")
    assert list(shuffled) != [str(number) for number in range(12)]
    assert read_labels(tmp_path) == tuple(names)


@pytest.mark.parametrize("text", ['{"id2label": {"0": "a", "2": "b"}}', '{"id2label": ["a"]}', "{}", "[]", "{"])
def test_labels_that_cannot_be_reported_are_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text, "utf-8")
    with pytest.raises(BadCheckpoint, match=r"config\.json: "):
        read_labels(tmp_path)


def test_metrics_are_plain_data_and_their_absence_is_reported(tmp_path):
    with pytest.raises(BadCheckpoint, match=r"metrics\.json"):
        read_metrics(tmp_path)
    (tmp_path / "metrics.json").write_text('{"scores": [{"micro_f1": 71.5}]}', "utf-8")
    assert read_metrics(tmp_path) == {"scores": [{"micro_f1": 71.5}]}
