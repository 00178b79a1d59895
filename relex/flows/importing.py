"""Registering a checkpoint folder that was made elsewhere: looked at closely, copied, measured if that is asked for."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from relex.db import models as table
from relex.db.connection import Database
from relex.errors import BadCheckpoint, InvalidInput
from relex.flows import models
from relex.flows.unfinished import new_draft
from relex.labels import RELATIONS
from relex.model import folder
from relex.model.ensemble import check_votes
from relex.model.parity import read_parity
from relex.runs import MODEL_NAME, ModelVersion
from relex.settings import Settings


def import_folder(
    database: Database, settings: Settings, source: Path, name: str, measure: Callable[[Path], None] | None = None
) -> ModelVersion:
    """Register a copy of a checkpoint folder that was made elsewhere; it becomes current only by `promote`.

    `measure` is the gate before 16 bit (:mod:`relex.flows.gate`) on the user's labelled examples. A classifier
    that says already what was measured of it is believed.

    Raises:
        BadCheckpoint: the folder is incomplete, holds pickled files, or is not a relation classifier of relex.
        InvalidInput: the name cannot be a model version's.
    """
    if not re.fullmatch(MODEL_NAME, name):
        raise InvalidInput(f"{name}: a model's name has 1 to 64 letters, digits, _ and -; give one with --name")
    folder.check(source)
    check_votes(source)
    for checkpoint in folder.classifiers(source):
        _check_classifier(checkpoint)
    judged = (source / folder.METRICS).is_file()
    scores, note = ([models.scores_of(source)], models.note_of(source)) if judged else ([], None)
    draft = new_draft(settings, name)
    shutil.copytree(source, draft, ignore=lambda _, names: [each for each in names if not folder.belongs(each)])
    try:
        if measure:
            measure(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    digests = folder.digests(draft)
    with database.transaction() as tx:
        version = table.register(tx, name, folder.read_labels(source), digests, scores, note=note)
        models.place(draft, models.home_of(settings, version), version)
    return version


def _check_classifier(checkpoint: Path) -> None:
    if (kind := folder.read_kind(checkpoint)) != "relex":
        raise BadCheckpoint(
            f"{checkpoint}: model_type {kind} is no relation classifier of relex; "
            f"as an encoder it can be trained: relex train --config base --set backbone.name={checkpoint}"
        )
    if set(folder.read_labels(checkpoint)) != set(RELATIONS):
        raise BadCheckpoint(f"{checkpoint}: its labels are not the 30 relations of KLUE-RE")
    read_parity(checkpoint)
