"""What a checkpoint folder holds, and that it still holds it: names and digests, no tensor.

Pure, so that registering and checking a checkpoint wakes no torch. `model.checkpoint` reads and writes the files of
one classifier, `model.ensemble` those of several that vote: `ensemble.json`, and a checkpoint in each `member-N`.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relex.errors import BadCheckpoint, quoted, shortened
from relex.hints.models import LABEL_ORDER

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
PARITY = "parity.json"
"""Says whether the checkpoint may be scored in 16 bit; not every checkpoint has one."""
METRICS = "metrics.json"
TRAIN_CONFIG = "train_config.yaml"
MODEL_CARD = "README.md"

READ_BY_SCORING = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)
"""Without these there is no scorer; their digests, and that of PARITY, say which model made a prediction."""
FOR_PEOPLE = (METRICS, TRAIN_CONFIG, MODEL_CARD)
"""Where the checkpoint comes from; scoring does not read them."""

KNOWN = (*READ_BY_SCORING, PARITY, *FOR_PEOPLE)

ENSEMBLE = "ensemble.json"
"""Stands in the folder of an ensemble, and makes it one."""
MEMBER = re.compile(r"member-(\d+)")

PICKLED = frozenset({".pth", ".pt", ".pkl", ".pickle", ".bin", ".ckpt"})
"""Endings of files that may run code when they are opened."""


def members(folder: Path) -> list[Path]:
    """The checkpoints inside an ensemble's folder, in their order; none in a classifier's."""
    if not (folder / ENSEMBLE).is_file():
        return []
    found = {match[1]: path for path in folder.iterdir() if (match := MEMBER.fullmatch(path.name))}
    return [found[number] for number in sorted(found, key=int)]


def classifiers(folder: Path) -> list[Path]:
    """The checkpoints that hold weights: the folder itself, or those inside an ensemble, and inside its ensembles."""
    inside = [found for member in members(folder) for found in classifiers(member)]
    return inside or [folder]


def belongs(name: str) -> bool:
    """Whether a file or folder of this name is part of a checkpoint; whatever else lies there is not."""
    return name in (*KNOWN, ENSEMBLE) or MEMBER.fullmatch(name) is not None


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file that scoring reads, in hex, by its path inside the folder.

    Raises:
        BadCheckpoint: as `check` does, or a file cannot be read.
    """
    try:
        check(folder)
        return {name: _sha256(folder / name) for name in _read_by_scoring(folder)}
    except OSError as error:  # not ours to read, or removed at this moment
        raise BadCheckpoint(f"{error.filename}: {error.strerror}; restore the folder") from error


def fingerprint(digests: Mapping[str, str]) -> str:
    """Give one short name to all that `digests` found: equal only where every file is."""
    text = json.dumps(sorted(digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def verify(folder: Path, expected: Mapping[str, str]) -> None:
    """Make sure that the folder is the one that was registered.

    Raises:
        BadCheckpoint: a file is missing or was altered since `digests` was taken.
    """
    found = digests(folder)
    altered = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    if altered:
        raise BadCheckpoint(
            f"{folder}: {', '.join(altered)} altered since the model was registered; "
            "restore the folder or register it as a new version"
        )


def check(folder: Path) -> None:
    """Look at the folder's names without opening a file.

    Raises:
        BadCheckpoint: naming every missing file, the pickled files that stand there instead, or a link out of it.
    """
    if not folder.is_dir():
        raise BadCheckpoint(f"{folder}: no such folder; give the folder that holds {WEIGHTS}")
    _check_links(folder)
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICKLED)
    if pickled:
        raise BadCheckpoint(
            f"{folder}: {', '.join(pickled)} can run code when opened, so relex never reads it; "
            f"train anew, or convert the weights to {WEIGHTS} on a machine that you trust, and remove it"
        )
    if (folder / ENSEMBLE).is_file():
        if not members(folder):
            raise BadCheckpoint(f"{folder}: an ensemble without a member-1; copy the whole folder")
        for member in members(folder):
            check(member)
        return
    missing = [name for name in READ_BY_SCORING if not (folder / name).is_file()]
    if missing:
        raise BadCheckpoint(f"{folder}: missing {', '.join(missing)}; copy the whole folder of the training run")


def _check_links(folder: Path) -> None:
    """A link could bring any file of this machine into a checkpoint, or go round for ever."""
    home = folder.resolve()
    for path in sorted(folder.iterdir()):
        if belongs(path.name) and path.is_symlink() and path.resolve().parent != home:
            raise BadCheckpoint(f"{folder}: {path.name} is a link that leads out of it; copy the folder with `cp -rL`")
        if belongs(path.name) and not (path.is_file() or path.is_dir()):
            raise BadCheckpoint(f"{folder}: {path.name} is neither a file nor a folder; copy the whole folder again")


def swap_in(new: Path, folder: Path) -> None:
    """Put a whole new folder in the place of one that is not registered yet.

    For an instant between two renames neither stands there.
    """
    if folder.exists():
        old = new.with_name(new.name + ".old")
        folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old)
    else:
        new.rename(folder)


def read_labels(folder: Path) -> tuple[str, ...]:
    """The labels in the order of the model's probabilities; an ensemble has those of its first member.

    Raises:
        BadCheckpoint: config.json is damaged or not relex's own.
    """
    for first in members(folder)[:1]:
        return read_labels(first)
    try:
        return labels_in_order(read_json(folder / CONFIG)["id2label"])
    except (KeyError, TypeError, AttributeError) as fault:
        raise BadCheckpoint(f"{folder / CONFIG}: no id2label; it is not relex's own") from fault


def check_label_numbers(folder: Path) -> None:
    """Compare the two tables of labels in a classifier's config.json, of which the second may be missing.

    Raises:
        BadCheckpoint: they contradict each other, so that nobody knows what the model's outputs mean.
    """
    path = folder / CONFIG
    numbers = read_json(path).get("label2id")
    if numbers is None:
        return
    if not isinstance(numbers, dict):
        raise BadCheckpoint(f"{path}: label2id is no table of labels; {LABEL_ORDER}")
    for number, label in enumerate(read_labels(folder)):
        if str(numbers.get(label)) != str(number):
            other = f"numbers it {shortened(str(numbers[label]))}" if label in numbers else "lacks it"
            raise BadCheckpoint(
                f"{path}: label {number} is {quoted(label)} in id2label, label2id {other}; {LABEL_ORDER}"
            )


def read_kind(folder: Path) -> str:
    """The model_type of a classifier's config.json; `relex` is the only one that scores.

    Raises:
        BadCheckpoint: the file is missing or damaged.
    """
    config = read_json(folder / CONFIG)
    return str(config.get("model_type")) if isinstance(config, dict) else "none"


def read_metrics(folder: Path) -> Any:
    """What training wrote into metrics.json, as plain data.

    Raises:
        BadCheckpoint: the file is missing or damaged.
    """
    return read_json(folder / METRICS)


def labels_in_order(id2label: Mapping[Any, str]) -> tuple[str, ...]:
    """The labels of config.json, where JSON has made text of the numbers.

    Raises:
        BadCheckpoint: the numbers do not count from 0 without a gap.
    """
    by_number = {str(number): label for number, label in id2label.items()}
    numbers = [str(number) for number in range(len(by_number))]
    if set(by_number) != set(numbers):
        raise BadCheckpoint("config.json: id2label does not count from 0 without a gap")
    return tuple(by_number[number] for number in numbers)


def read_json(path: Path) -> Any:
    """A JSON file of a checkpoint.

    Raises:
        BadCheckpoint: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except RecursionError as fault:
        raise BadCheckpoint(f"{path}: nested too deeply; restore the folder") from fault
    except (OSError, ValueError) as fault:
        raise BadCheckpoint(f"{path}: {fault}; restore the folder") from fault


def _read_by_scoring(folder: Path) -> list[str]:
    """The files that a scorer reads, by their path inside the folder."""
    if not (folder / ENSEMBLE).is_file():
        return [*READ_BY_SCORING, *([PARITY] if (folder / PARITY).is_file() else [])]
    inside = [f"{member.name}/{name}" for member in members(folder) for name in _read_by_scoring(member)]
    return [ENSEMBLE, *inside]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
