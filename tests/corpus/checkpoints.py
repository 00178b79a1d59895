"""Bad checkpoints by name, and the line that `relex models import NAME` must print.

Each is a copy of the shipped one with one thing bent. `tests/badinput/test_checkpoints.py` reads this.
"""

import json
import os
import struct

from safetensors.torch import load_file, save_file

from relex.hints.models import LABEL_ORDER
from relex.labels import RELATIONS
from relex.model.folder import CONFIG, METRICS, PARITY, READ_BY_SCORING, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS
from tests.corpus.bad import Bad

PICKLE = b"cos\nmkdir\n(S'pwned'\ntR."
"""What makes a folder where it is unpickled."""
RESTORE = "restore the folder"
COPY = "copy the whole folder of the training run"
UNREAD = (
    "can run code when opened, so relex never reads it; train again, or convert the weights to "
    f"{WEIGHTS} on a machine that you trust, and remove it"
)
NO_CLASSIFIER = "is not a relation classifier of relex; `relex train --config base --set"
NOT_OURS = "it is not relex's own"
NOT_THE_LABELS = "its labels are not the 30 relations of KLUE-RE, each once: look at"
LAST = RELATIONS[-1]

POSITIONS = "backbone.embeddings.position_embeddings.weight"


def config(change, name=CONFIG):
    """Bend a JSON file of the folder, in place."""

    def bend(folder):
        content = json.loads((folder / name).read_text("utf-8"))
        change(content)
        (folder / name).write_text(json.dumps(content), "utf-8")

    return bend


def written(name, content):
    """Replace a file's bytes."""
    return lambda folder: (folder / name).write_bytes(content)


def weights(change):
    """Bend the safetensors file: its header as a dictionary and its numbers as bytes, which may be of any length."""

    def bend(folder):
        raw = (folder / WEIGHTS).read_bytes()
        (size,) = struct.unpack("<Q", raw[:8])
        header, numbers = json.loads(raw[8 : 8 + size]), bytearray(raw[8 + size :])
        numbers = change(header, numbers) or numbers
        text = json.dumps(header).encode()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + numbers)

    return bend


def reshape(header, _):
    """Sizes that the file does not hold."""
    header["classifier.weight"]["shape"] = [10**9, 10**9]


def turn(header, _):
    """The right number of numbers in a shape that does not fit."""
    header["classifier.weight"]["shape"].reverse()


def no_numbers(header, numbers):
    """Half-precision NaN, everywhere but in the word table, which has 8 bits."""
    assert {entry["dtype"] for name, entry in header.items() if name != "__metadata__"} == {"F16", "I8", "BF16"}
    return b"\x00\x7e" * (len(numbers) // 2)


def shorten_positions(folder):
    """Fewer positions than the window has tokens, in the weights and in the configuration alike."""
    tensors = load_file(folder / WEIGHTS)
    tensors[POSITIONS] = tensors[POSITIONS][:64].clone()
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    config(lambda c: c["backbone"].update(max_position_embeddings=64))(folder)


def lengthen_vocabulary(content):
    """Tokens that the weights know nothing of."""
    last = content["added_tokens"][-1]
    content["added_tokens"] += [last | {"id": last["id"] + step, "content": f"새말{step}"} for step in (1, 2, 3)]


def rename_markers(content):
    """As in a tokenizer of another scheme."""
    for token in content["added_tokens"]:
        token["content"] = token["content"].replace("[E1-", "[X1-")


def links(name, target):
    """A link in a file's place, or where none was."""

    def bend(folder):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return bend


def instead(name, put):
    """Something else in a file's place."""

    def bend(folder):
        (folder / name).unlink()
        put(folder / name)

    return bend


MISSING = tuple(
    Bad(
        f"without_{name.replace('.', '_')}",
        lambda folder, name=name: (folder / name).unlink(),
        f"missing {name}; {COPY}",
    )
    for name in READ_BY_SCORING
)

TABLE = {
    "a_folder_as_weights": (
        instead(WEIGHTS, os.mkdir),
        f": missing {WEIGHTS}; {COPY}",
    ),
    "a_pickle_beside": (written("labels.pkl", PICKLE), f": labels.pkl {UNREAD}"),
    "weights_of_torch": (written("best_model.PTH", PICKLE), f": best_model.PTH {UNREAD}"),
    "a_link_out": (
        links("README.md", "/etc/passwd"),
        ": README.md is a link that leads out of it; copy the folder with `cp -rL`",
    ),
    "a_link_to_the_weights": (
        links(WEIGHTS, "/dev/zero"),
        f": {WEIGHTS} is a link that leads out of it; copy the folder with `cp -rL`",
    ),
    "a_pipe": (
        instead("README.md", os.mkfifo),
        ": README.md is neither a file nor a folder; copy the whole folder again",
    ),
    "config_a_list": (
        written(CONFIG, b"[1]"),
        f": model_type none {NO_CLASSIFIER} backbone.name=config_a_list` trains it as an encoder",
    ),
    "config_of_bert": (
        config(lambda c: c.update(model_type="bert")),
        f": model_type bert {NO_CLASSIFIER} backbone.name=config_of_bert` trains it as an encoder",
    ),
    "config_cut": (
        written(CONFIG, b'{"model_type": '),
        f"/{CONFIG}: Expecting value: line 1 column 16 (char 15); {RESTORE}",
    ),
    "config_of_brackets": (written(CONFIG, b"[" * 100_000), f"/{CONFIG}: nested too deeply; {RESTORE}"),
    "label_missing": (config(lambda c: c["id2label"].popitem()), f": {NOT_THE_LABELS} '{LAST}' in config.json"),
    "label_twice": (
        config(lambda c: c["id2label"].update({"30": LAST})),
        f": {NOT_THE_LABELS} '{LAST}' in config.json",
    ),
    "label_misspelled": (
        config(lambda c: c["id2label"].update({"29": "per:titel"})),
        f": {NOT_THE_LABELS} 'per:titel', '{LAST}' in config.json",
    ),
    "labels_with_a_gap": (
        config(lambda c: c["id2label"].update({"31": c["id2label"].pop("29")})),
        "config.json: id2label does not count from 0 without a gap",
    ),
    "labels_swapped": (
        config(lambda c: c["id2label"].update({"3": c["id2label"]["4"], "4": c["id2label"]["3"]})),
        f"/{CONFIG}: label 3 is '{RELATIONS[4]}' in id2label, label2id numbers it 4; {LABEL_ORDER}",
    ),
    "label_without_a_number": (
        config(lambda c: c["label2id"].pop(LAST)),
        f"/{CONFIG}: label 29 is '{LAST}' in id2label, label2id lacks it; {LABEL_ORDER}",
    ),
    "label_numbers_as_list": (
        config(lambda c: c.update(label2id=[1])),
        f"/{CONFIG}: label2id is not a table of labels; {LABEL_ORDER}",
    ),
    "labels_as_list": (config(lambda c: c.update(id2label=[])), f"/{CONFIG}: no id2label; {NOT_OURS}"),
    "metrics_without_scores": (written(METRICS, b'{"validation": 3}'), f"/{METRICS}: no validation scores; {NOT_OURS}"),
    "metrics_no_numbers": (
        config(lambda c: c["validation"].update(micro_f1=float("nan")), METRICS),
        f"/{METRICS}: no validation scores; {NOT_OURS}",
    ),
    "parity_empty": (written(PARITY, b"{}"), f"/{PARITY}: not what relex writes; {RESTORE}"),
    "an_ensemble_of_none": (written("ensemble.json", b"{}"), ": an ensemble without a member-1; copy the whole folder"),
    "an_ensemble_of_itself": (
        lambda folder: (written("ensemble.json", b"{}")(folder), links("member-1", ".")(folder)),
        ": member-1 is a link that leads out of it; copy the folder with `cp -rL`",
    ),
}
"""By name: how the shipped checkpoint is bent, and what is said behind the folder's name. Reported without torch."""

LOADED = {
    "weights_cut": (
        lambda folder: os.truncate(folder / WEIGHTS, 100_000),
        "incomplete metadata, file not fully covered",
    ),
    "weights_empty": (written(WEIGHTS, b""), "header too small"),
    "weights_a_pickle": (written(WEIGHTS, PICKLE), "header too"),
    "header_longer_than_the_file": (written(WEIGHTS, struct.pack("<Q", 2**40) + b"{}"), "header too large"),
    "header_lies": (weights(reshape), "shape"),
    "another_shape": (weights(turn), "classifier.weight"),
    "no_bias": (weights(lambda header, _: header.update(x=header.pop("classifier.bias")) and None), "classifier.bias"),
    "no_numbers": (weights(no_numbers), "the model's output is not a number"),
    "pooling_unknown": (config(lambda c: c["relation"].update(pooling="sum")), "pooling: Input should be "),
    "a_setting_of_tomorrow": (config(lambda c: c["relation"].update(tomorrow=1)), "tomorrow: Extra inputs"),
    "a_window_without_positions": (shorten_positions, "cannot score a sentence"),
    "no_such_backbone": (config(lambda c: c["backbone"].update(model_type="nix")), "backbone: "),
    "another_backbone": (config(lambda c: c["backbone"].update(hidden_size=768)), "size mismatch"),
    "an_enormous_backbone": (config(lambda c: c["backbone"].update(hidden_size=2**40)), ""),
    "a_word_as_size": (config(lambda c: c["backbone"].update(hidden_size="x")), ""),
    "tokenizer_of_nul": (written(TOKENIZER, b"\0" * 100), "column 1"),
    "tokenizer_of_another_scheme": (config(rename_markers, TOKENIZER), "lacks the markers [E1-"),
    "tokenizer_of_another_model": (
        config(lengthen_vocabulary, TOKENIZER),
        f"{TOKENIZER} is of another model: it has token 32663, the weights end with ",
    ),
    "tokenizer_without_padding": (
        config(lambda c: c.pop("pad_token"), TOKENIZER_CONFIG),
        f"{TOKENIZER_CONFIG} names no padding token",
    ),
    "tokenizer_config_cut": (written(TOKENIZER_CONFIG, b"{"), "Expecting property name"),
}
"""The same for what shows only when the checkpoint is loaded, in words of other libraries: a part of the line."""
