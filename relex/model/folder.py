"""The layout of a checkpoint folder and its verification: names and digests, no tensors.

This module does not import torch, so that registering and checking a checkpoint is fast. `model.checkpoint` reads and
writes the files of one classifier, `model.ensemble` those of an ensemble.
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
"""Result of the bf16 parity check; not every checkpoint has one."""
CALIBRATION = "calibration.json"
"""What the probabilities meant on labeled rows; not every checkpoint has one."""
METRICS = "metrics.json"
TRAIN_CONFIG = "train_config.yaml"
MODEL_CARD = "README.md"

READ_BY_SCORING = (CONFIG, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG)
"""Files that scoring needs; their digests, and those of OPTIONAL, identify the model of a prediction."""
OPTIONAL = (PARITY, CALIBRATION)
"""Files that a checkpoint may have and that decide how it is scored and what is said of its predictions."""
FOR_PEOPLE = (METRICS, TRAIN_CONFIG, MODEL_CARD)
"""Files about the origin of the checkpoint, which scoring does not read."""

KNOWN = (*READ_BY_SCORING, *OPTIONAL, *FOR_PEOPLE)

ENSEMBLE = "ensemble.json"
"""File that makes a folder an ensemble."""
MEMBER = re.compile(r"member-(\d+)")

PICKLED = frozenset({".pth", ".pt", ".pkl", ".pickle", ".bin", ".ckpt"})
"""Suffixes of files that may run code when they are opened."""


def members(folder: Path) -> list[Path]:
    """Return the member checkpoints of an ensemble's folder in their order; none for a classifier."""
    if not (folder / ENSEMBLE).is_file():
        return []
    by_number = {match[1]: path for path in folder.iterdir() if (match := MEMBER.fullmatch(path.name))}
    return [by_number[number] for number in sorted(by_number, key=int)]


def classifiers(folder: Path) -> list[Path]:
    """Return the checkpoints with weights: the folder itself, or those in an ensemble, at any depth."""
    inside = [each for member in members(folder) for each in classifiers(member)]
    return inside or [folder]


def belongs(name: str) -> bool:
    """Return whether a file or folder of this name is part of a checkpoint."""
    return name in (*KNOWN, ENSEMBLE) or MEMBER.fullmatch(name) is not None


def digests(folder: Path) -> dict[str, str]:
    """Compute the sha256 of each file that predictions depend on, by its path in the folder.

    Raises:
        BadCheckpoint: as for `check`, or a file cannot be read.
    """
    try:
        check(folder)
        return {name: _sha256(folder / name) for name in _read_by_scoring(folder)}
    except OSError as exc:  # no permission, or removed at this moment
        raise BadCheckpoint(f"{exc.filename}: {exc.strerror}; restore the folder") from exc


def fingerprint(digests: Mapping[str, str]) -> str:
    """Compute one short name for the result of `digests`, equal only for equal files."""
    text = json.dumps(sorted(digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def verify(folder: Path, expected: Mapping[str, str]) -> None:
    """Check that the folder is unchanged since it was registered.

    Raises:
        BadCheckpoint: a file is missing or has changed since the digests were computed.
    """
    actual = digests(folder)
    altered = sorted(name for name in {*actual, *expected} if actual.get(name) != expected.get(name))
    if altered:
        raise BadCheckpoint(
            f"{folder}: {', '.join(altered)} altered since the model was registered; "
            "restore the folder or register it as a new version"
        )


def check(folder: Path) -> None:
    """Check the names in the folder without opening a file.

    Raises:
        BadCheckpoint: names every missing file, pickled files, or a link out of the folder.
    """
    if not folder.is_dir():
        raise BadCheckpoint(f"{folder}: no such folder; give the folder that holds {WEIGHTS}")
    _check_links(folder)
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICKLED)
    if pickled:
        raise BadCheckpoint(
            f"{folder}: {', '.join(pickled)} can run code when opened, so relex never reads it; "
            f"train again, or convert the weights to {WEIGHTS} on a machine that you trust, and remove it"
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
    """Check that no link leads out of the folder, to another file of this machine or into a cycle."""
    resolved = folder.resolve()
    for path in sorted(folder.iterdir()):
        if belongs(path.name) and path.is_symlink() and path.resolve().parent != resolved:
            raise BadCheckpoint(f"{folder}: {path.name} is a link that leads out of it; copy the folder with `cp -rL`")
        if belongs(path.name) and not (path.is_file() or path.is_dir()):
            raise BadCheckpoint(f"{folder}: {path.name} is neither a file nor a folder; copy the whole folder again")


def swap_in(new: Path, folder: Path) -> None:
    """Replace a folder that is not registered yet by a complete new one.

    Between the two renames neither exists for an instant.
    """
    if folder.exists():
        old = new.with_name(new.name + ".old")
        folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old)
    else:
        new.rename(folder)


def read_labels(folder: Path) -> tuple[str, ...]:
    """Read the labels in the order of the probabilities; an ensemble has those of its first member.

    Raises:
        BadCheckpoint: config.json is damaged or was not written by relex.
    """
    for first in members(folder)[:1]:
        return read_labels(first)
    try:
        return labels_in_order(read_json(folder / CONFIG)["id2label"])
    except (KeyError, TypeError, AttributeError) as exc:
        raise BadCheckpoint(f"{folder / CONFIG}: no id2label; it is not relex's own") from exc


def check_label_numbers(folder: Path) -> None:
    """Check that id2label and label2id of a classifier's config.json agree; label2id is optional.

    Raises:
        BadCheckpoint: they contradict each other, so that the meaning of the outputs is unknown.
    """
    path = folder / CONFIG
    numbers = read_json(path).get("label2id")
    if numbers is None:
        return
    if not isinstance(numbers, dict):
        raise BadCheckpoint(f"{path}: label2id is not a table of labels; {LABEL_ORDER}")
    for number, label in enumerate(read_labels(folder)):
        if str(numbers.get(label)) != str(number):
            other = f"numbers it {shortened(str(numbers[label]))}" if label in numbers else "lacks it"
            raise BadCheckpoint(
                f"{path}: label {number} is {quoted(label)} in id2label, label2id {other}; {LABEL_ORDER}"
            )


def read_kind(folder: Path) -> str:
    """Read the model_type of a classifier's config.json; only `relex` can be scored.

    Raises:
        BadCheckpoint: the file is missing or damaged.
    """
    config = read_json(folder / CONFIG)
    return str(config.get("model_type")) if isinstance(config, dict) else "none"


def read_metrics(folder: Path) -> Any:
    """Read metrics.json as plain data.

    Raises:
        BadCheckpoint: the file is missing or damaged.
    """
    return read_json(folder / METRICS)


def labels_in_order(id2label: Mapping[Any, str]) -> tuple[str, ...]:
    """Return the labels of `id2label` in their order; JSON turns its numbers into text.

    Raises:
        BadCheckpoint: the numbers do not count from 0 without a gap.
    """
    by_number = {str(number): label for number, label in id2label.items()}
    numbers = [str(number) for number in range(len(by_number))]
    if set(by_number) != set(numbers):
        raise BadCheckpoint("config.json: id2label does not count from 0 without a gap")
    return tuple(by_number[number] for number in numbers)


def read_json(path: Path) -> Any:
    """Read a JSON file of a checkpoint.

    Raises:
        BadCheckpoint: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except RecursionError as exc:
        raise BadCheckpoint(f"{path}: nested too deeply; restore the folder") from exc
    except (OSError, ValueError) as exc:
        raise BadCheckpoint(f"{path}: {exc}; restore the folder") from exc


def _read_by_scoring(folder: Path) -> list[str]:
    """Return the files that predictions and what is said of them depend on, by their path in the folder."""
    optional = [name for name in OPTIONAL if (folder / name).is_file()]
    if not (folder / ENSEMBLE).is_file():
        return [*READ_BY_SCORING, *optional]
    inside = [f"{member.name}/{name}" for member in members(folder) for name in _read_by_scoring(member)]
    return [ENSEMBLE, *optional, *inside]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
