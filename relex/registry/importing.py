"""Registering a checkpoint folder that was made elsewhere: checked, copied and, on request, measured."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from relex.db import model_versions as table
from relex.db.connection import Database
from relex.domain.versions import MODEL_NAME, ModelVersion
from relex.errors import BadCheckpoint, InvalidInput, quoted
from relex.hints import jobs as hints
from relex.labels import RELATIONS
from relex.model import folder
from relex.model.calibration import read_calibration
from relex.model.ensemble import check_votes
from relex.model.parity import read_parity
from relex.registry import model_versions
from relex.registry.workspace import staging_folder
from relex.settings import Settings


class SmokeTest(Protocol):
    """A test of whether a checkpoint can score at all."""

    def __call__(self, folder: Path, /) -> None:
        """Raise BadCheckpoint where the checkpoint in a folder cannot score."""


def import_folder(
    database: Database, settings: Settings, source: Path, name: str, examine: Callable[[Path], None] | None = None
) -> ModelVersion:
    """Register a copy of a checkpoint folder that was made elsewhere.

    It becomes current only by `promote`.

    `examine` checks the copy before it is registered: the smoke test, and the parity check on the user's labeled
    examples. A parity.json that a classifier already has is trusted.

    Raises:
        BadCheckpoint: the folder is incomplete, holds pickled files or links that lead out of it, or is not a relation
            classifier of relex; and what `examine` raises.
        InvalidInput: the name cannot be a model version's.
    """
    if not re.fullmatch(MODEL_NAME, name):
        raise InvalidInput(f"{quoted(name)}: a model's name has 1 to 64 letters, digits, _ and -; {hints.name_model()}")
    folder.check(source)
    check_votes(source)
    for checkpoint in folder.classifiers(source):
        _check_classifier(checkpoint)
    has_metrics = (source / folder.METRICS).is_file()
    scores, note = ([model_versions.scores_of(source)], model_versions.note_of(source)) if has_metrics else ([], None)
    trained_on = model_versions.trained_on(source) if has_metrics else None
    with staging_folder(settings, name) as copy:
        _copy(source, copy)
        try:
            calibration = read_calibration(copy)
            if examine:
                examine(copy)
        except BadCheckpoint as error:  # the copy goes: what is wrong with it is wrong with the folder
            raise BadCheckpoint(str(error).replace(str(copy), str(source))) from error
        digests = folder.digests(copy)
        with database.transaction() as tx:
            labels = folder.read_labels(source)
            version = table.register(
                tx, name, labels, digests, scores, note=note, trained_on=trained_on, calibration=calibration
            )
            model_versions.install(settings, copy, version)
    return version


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target, ignore=lambda _, names: [each for each in names if not folder.belongs(each)])
    except shutil.Error as error:
        _, _, reason = error.args[0][0]  # that of the first file
        raise BadCheckpoint(f"{source}: cannot be copied: {reason}") from error


def _check_classifier(checkpoint: Path) -> None:
    if (kind := folder.read_kind(checkpoint)) != "relex":
        raise BadCheckpoint(
            f"{checkpoint}: model_type {kind} is not a relation classifier of relex; "
            f"{hints.train_as_encoder(checkpoint)}"
        )
    _check_labels(checkpoint, folder.read_labels(checkpoint))
    folder.check_label_numbers(checkpoint)
    read_parity(checkpoint)


def _check_labels(checkpoint: Path, labels: Sequence[str]) -> None:
    labels_here, expected = Counter(map(str, labels)), Counter(RELATIONS)
    strange = [*(labels_here - expected), *(expected - labels_here)]
    if strange:
        named = ", ".join(map(quoted, strange[:3]))
        raise BadCheckpoint(
            f"{checkpoint}: its labels are not the 30 relations of KLUE-RE, each once: look at {named} in config.json"
        )
