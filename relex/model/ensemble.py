"""The folder of an ensemble: `ensemble.json` and a whole checkpoint in each `member-N`.

An ensemble is a checkpoint folder like any other: self-contained, and registered, moved and verified as one. This
module reads and writes no tensors. `relex.evaluation.voting` has the formulas.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from relex.errors import BadCheckpoint
from relex.model import folder as layout


class Vote(StrEnum):
    """The ways to combine the predictions of the members; see `relex.evaluation.voting`."""

    SOFT = "soft"
    LOGITS = "logits"
    WEIGHTED = "weighted"
    HARD = "hard"


class EnsembleConfig(BaseModel):
    """The content of `ensemble.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vote: Vote
    members: tuple[str, ...]
    """Names of the members, in the order of the folders."""
    weights: tuple[float, ...] | None = None
    """Weight of each member in the weighted vote, with a sum of 1; None for other votes."""


def read_ensemble(folder: Path) -> EnsembleConfig:
    """Read the configuration of the ensemble in a folder.

    Raises:
        BadCheckpoint: `ensemble.json` is damaged, or does not match the members in the folder.
    """
    path = folder / layout.ENSEMBLE
    try:
        config = EnsembleConfig.model_validate(layout.read_json(path))
    except ValidationError as exc:
        raise BadCheckpoint(f"{path}: {exc.errors()[0]['msg']}; restore the folder") from exc
    counts = {len(config.members), len(layout.members(folder))}
    if config.vote is Vote.WEIGHTED:
        counts.add(len(config.weights or ()))
    if len(counts) > 1:
        raise BadCheckpoint(f"{path}: does not match the members in the folder; restore the folder")
    return config


def check_votes(folder: Path) -> None:
    """Check that the ensemble in the folder and all ensembles among its members can vote.

    Raises:
        BadCheckpoint: as for `read_ensemble`.
    """
    for member in layout.members(folder):
        read_ensemble(folder)
        check_votes(member)


def write_ensemble(folder: Path, checkpoints: Sequence[Path], config: EnsembleConfig, texts: Mapping[str, str]) -> None:
    """Write checkpoints into the folder of an ensemble, which appears whole or not at all.

    Args:
        folder: the folder of the ensemble; its parent must exist. An existing folder is replaced.
        checkpoints: the folders of the members, which are not changed; files are linked if possible.
        config: the configuration of the ensemble.
        texts: the texts of the files for people (`folder.FOR_PEOPLE`), by name.
    """
    staging = folder.with_name(f".{folder.name}.{uuid4().hex}")
    staging.mkdir()
    try:
        for number, checkpoint in enumerate(checkpoints, 1):
            layout.check(checkpoint)
            shutil.copytree(checkpoint, staging / f"member-{number}", copy_function=_link, ignore=_foreign)
        (staging / layout.ENSEMBLE).write_text(json.dumps(config.model_dump(mode="json"), indent=2) + "\n", "utf-8")
        for name, text in texts.items():
            (staging / name).write_text(text, "utf-8")
        layout.swap_in(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _foreign(_: str, names: list[str]) -> list[str]:
    return [name for name in names if not layout.belongs(name)]


def _link(source: str, target: str) -> None:
    """Link a file, which is safe because checkpoints never change in place, or copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
