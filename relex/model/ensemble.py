"""Several checkpoints that vote as one: `ensemble.json` beside a whole checkpoint in each `member-N`.

So an ensemble is a checkpoint folder like any other: complete by itself, registered, moved and verified as one. Pure:
it is made of finished folders, and no tensor is touched. `analysis.voting` has the formulas.
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
    """How the members' predictions become one (formulas in `analysis.voting`)."""

    SOFT = "soft"
    LOGITS = "logits"
    WEIGHTED = "weighted"
    HARD = "hard"


class EnsembleConfig(BaseModel):
    """What `ensemble.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vote: Vote
    members: tuple[str, ...]
    """What they were called, in the order of the folders."""
    weights: tuple[float, ...] | None = None
    """One a member, of the weighted vote alone; they sum to 1."""


def read_ensemble(folder: Path) -> EnsembleConfig:
    """How the members in this folder vote.

    Raises:
        BadCheckpoint: `ensemble.json` is damaged, or does not fit the members that lie here.
    """
    path = folder / layout.ENSEMBLE
    try:
        config = EnsembleConfig.model_validate(layout.read_json(path))
    except ValidationError as fault:
        raise BadCheckpoint(f"{path}: {fault.errors()[0]['msg']}; restore the folder") from fault
    counts = {len(config.members), len(layout.members(folder))}
    if config.vote is Vote.WEIGHTED:
        counts.add(len(config.weights or ()))
    if len(counts) > 1:
        raise BadCheckpoint(f"{path}: names other members than lie beside it; restore the folder")
    return config


def check_votes(folder: Path) -> None:
    """Make sure that every ensemble in the folder can vote, itself and its members; a classifier always can.

    Raises:
        BadCheckpoint: as `read_ensemble` does.
    """
    for member in layout.members(folder):
        read_ensemble(folder)
        check_votes(member)


def write_ensemble(folder: Path, checkpoints: Sequence[Path], config: EnsembleConfig, texts: Mapping[str, str]) -> None:
    """Put checkpoints together in a folder, which appears whole or not at all.

    Args:
        folder: where; its parent must exist. One that an earlier attempt left there is replaced.
        checkpoints: the members' folders, which stay as they are; where the disk allows it no file is copied.
        config: how they vote.
        texts: the files for people by name (`folder.FOR_PEOPLE`), with their text.
    """
    draft = folder.with_name(f".{folder.name}.{uuid4().hex}")
    draft.mkdir()
    try:
        for number, checkpoint in enumerate(checkpoints, 1):
            layout.check(checkpoint)
            shutil.copytree(checkpoint, draft / f"member-{number}", copy_function=_link, ignore=_foreign)
        (draft / layout.ENSEMBLE).write_text(json.dumps(config.model_dump(mode="json"), indent=2) + "\n", "utf-8")
        for name, text in texts.items():
            (draft / name).write_text(text, "utf-8")
        layout.swap_in(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _foreign(_: str, names: list[str]) -> list[str]:
    return [name for name in names if not layout.belongs(name)]


def _link(source: str, target: str) -> None:
    """The same file under a second name: checkpoints are never changed in place. Elsewhere a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
