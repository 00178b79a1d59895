"""Model versions and their checkpoint folders: which exist, which is current, where the files are.

A version's files lie under the home folder, or among the checkpoints that came with relex; the digests in
Postgres decide whether a folder really holds that version, so a swapped or damaged file never scores a row.

Several databases may share one home folder. So a checkpoint's folder is named by its content, not by its number, and
no folder that is there is ever removed or overwritten.
"""

import errno
import logging
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from math import isfinite
from pathlib import Path
from uuid import uuid4

from relex.db import model_versions as table
from relex.db.connection import Database, Transaction
from relex.domain.calibration import Calibration
from relex.domain.runs import RunId
from relex.domain.versions import FP32, ModelVersion, Scores, TrainingFile
from relex.errors import BadCheckpoint, ModelNotFound
from relex.hints import jobs as hints
from relex.model import folder
from relex.model.calibration import read_calibration
from relex.registry.workspace import staging_folder
from relex.settings import Settings

logger = logging.getLogger(__name__)

SHIPPED = Path(str(resources.files("relex").joinpath("checkpoints")))


def every(database: Database) -> list[ModelVersion]:
    """Return all model versions, newest first."""
    with database.transaction() as tx:
        return table.every(tx)


def promote(database: Database, name: str) -> ModelVersion:
    """Make the version `name@number` (or the newest called `name`) current.

    Raises:
        ModelNotFound: with the closest known name.
    """
    with database.transaction() as tx:
        version = table.find(tx, name)
        table.promote(tx, version)
        return version


def choose(tx: Transaction, name: str | None) -> ModelVersion:
    """Return the version called `name`, or the current one if it is None.

    Raises:
        ModelNotFound: no such version, or none is current yet.
    """
    version = table.current(tx) if name is None else table.find(tx, name)
    if version is None:
        raise ModelNotFound(f"there is no model version yet; {hints.first_model()}")
    return version


def shipped_is_registered(database: Database) -> bool:
    """Return whether all checkpoints that came with this relex are registered in the database."""
    with database.transaction() as tx:
        registered = [version.digests for version in table.every(tx)]
    return all(folder.digests(checkpoint) in registered for checkpoint in shipped())


def register_shipped(database: Database, settings: Settings) -> None:
    """Register the checkpoints that came with relex, and copy them: the next relex may ship others.

    One becomes current if no version or an older shipped one is current; a version made here stays current.
    """
    for checkpoint in shipped():
        facts = facts_of(checkpoint)
        with database.transaction() as tx, staging_folder(settings, checkpoint.name) as copy:
            version = _register(tx, checkpoint.name, facts)
            shutil.copytree(checkpoint, copy)
            install(settings, copy, version)
            current = table.current(tx)
            if current is None or _is_superseded(current, version):
                table.promote(tx, version)


def _is_superseded(current: ModelVersion, shipped: ModelVersion) -> bool:
    """Return whether the current version came with an earlier relex; one that was trained here did not."""
    return current.name == shipped.name and current.number < shipped.number and current.run_id is None


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """What is registered of a checkpoint folder."""

    labels: tuple[str, ...]
    digests: Mapping[str, str]
    scores: Scores
    note: str | None
    """Why it should not become current automatically; None if nothing speaks against it."""
    trained_on: Sequence[TrainingFile] | None
    """Files that it was trained on; None if it does not say."""
    calibration: Calibration | None
    """What its probabilities meant on labeled rows; None if nobody measured it."""


def facts_of(checkpoint: Path) -> CheckpointFacts:
    """Read what is registered of a checkpoint folder.

    Raises:
        BadCheckpoint: a file is missing or not relex's own.
    """
    return CheckpointFacts(
        folder.read_labels(checkpoint),
        folder.digests(checkpoint),
        scores_of(checkpoint),
        note_of(checkpoint),
        trained_on(checkpoint),
        read_calibration(checkpoint),
    )


def keep(
    tx: Transaction,
    settings: Settings,
    name: str,
    facts: CheckpointFacts,
    checkpoint: Path,
    run_id: RunId | None = None,
) -> ModelVersion:
    """Register a new checkpoint and move its folder to where workers look for it.

    The move comes before the commit: a version that is registered can always be loaded, and a second try after a
    broken commit finds the folder there. A checkpoint equal to a registered one (the same recipe, the same seed) is
    that version again, whose folder stays as it is.
    """
    version = _register(tx, name, facts, run_id)
    install(settings, checkpoint, version)
    return version


def _register(tx: Transaction, name: str, facts: CheckpointFacts, run_id: RunId | None = None) -> ModelVersion:
    return table.register(
        tx,
        name,
        facts.labels,
        facts.digests,
        [facts.scores],
        run_id,
        note=facts.note,
        trained_on=facts.trained_on,
        calibration=facts.calibration,
    )


def version_dir(settings: Settings, version: ModelVersion) -> Path:
    """Return the folder of a version's files: below its name, named by its content."""
    return settings.home / "models" / version.name / folder.fingerprint(version.digests)


def _candidate_dirs(settings: Settings, version: ModelVersion) -> list[Path]:
    """Return the folders where a version's files may be; earlier releases named them by number."""
    return [version_dir(settings, version), settings.home / "models" / version.name / str(version.number)]


def locate(database: Database, settings: Settings, model: str) -> Path:
    """Return the folder of the version called `name@number`; raises as :func:`checkpoint_folder`."""
    with database.transaction() as tx:
        version = table.find(tx, model)
    return checkpoint_folder(settings, version)


def checkpoint_folder(settings: Settings, version: ModelVersion) -> Path:
    """Return the folder of a version, with every file as it was when it was registered.

    Raises:
        BadCheckpoint: not on this machine, or altered.
    """
    places = _candidate_dirs(settings, version)
    for place in (*places, SHIPPED / version.name):
        if _holds(place, version):
            return place
    for place in places:
        if place.is_dir():
            folder.verify(place, version.digests)  # says which file it is
    raise BadCheckpoint(f"{version}: no folder {places[0]} here; all workers must share one RELEX_HOME")


def scores_of(checkpoint: Path) -> Scores:
    """Return a checkpoint's scores on its own validation file.

    Raises:
        BadCheckpoint: its metrics.json is missing or not relex's own.
    """
    try:
        validation = folder.read_metrics(checkpoint)["validation"]
        # Earlier releases evaluated in fp32 and did not record it.
        precision = validation.get("precision", FP32)
        figures = float(validation["micro_f1"]), float(validation["auprc"])
        scores = Scores(validation["sha256"], int(validation["examples"]), *figures, precision)
        if not (re.fullmatch(r"[\w.-]+", scores.data_sha256) and isfinite(sum(figures))):
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{checkpoint / folder.METRICS}: no validation scores; it is not relex's own") from error
    return scores


def note_of(checkpoint: Path) -> str | None:
    """Return what a checkpoint's metrics.json says against it, or None; raises as :func:`scores_of`."""
    note = folder.read_metrics(checkpoint).get("note")
    return None if note is None else str(note)


def trained_on(checkpoint: Path) -> tuple[TrainingFile, ...] | None:
    """Return the files that a checkpoint was trained on, if it says so; raises as :func:`scores_of`."""
    metrics = folder.read_metrics(checkpoint)
    try:
        return tuple(TrainingFile(str(each["file"]), str(each["sha256"])) for each in metrics["training"]["data"])
    except (KeyError, TypeError):
        return None


def shipped() -> list[Path]:
    """Return the folders of the checkpoints that came with relex."""
    return sorted(config.parent for config in SHIPPED.glob("*/config.json"))


def _holds(place: Path, version: ModelVersion) -> bool:
    """Return whether a folder holds exactly the version's files; False if it is missing or incomplete."""
    try:
        return folder.digests(place) == dict(version.digests)
    except BadCheckpoint:
        return False


def install(settings: Settings, checkpoint: Path, version: ModelVersion) -> None:
    """Move a checkpoint to the folder of its version, unless the same files are there already."""
    if any(_holds(place, version) for place in _candidate_dirs(settings, version)):
        shutil.rmtree(checkpoint, ignore_errors=True)
    else:
        _move(checkpoint, version_dir(settings, version), version)


def _move(checkpoint: Path, target: Path, version: ModelVersion) -> None:
    """Move a folder to its target; an equal target stays, an altered one is moved aside."""
    target.parent.mkdir(parents=True, exist_ok=True)
    while not _rename(checkpoint, target):
        if _holds(target, version):  # another database registered it at this moment
            shutil.rmtree(checkpoint, ignore_errors=True)
            return
        aside = target.with_name(f"{target.name}.altered-{uuid4().hex[:8]}")
        with suppress(FileNotFoundError):
            target.rename(aside)
            logger.warning("%s: %s was altered; it is now %s", version, target, aside)


def _rename(source: Path, target: Path) -> bool:
    """Rename a folder; return False if a file or a non-empty folder is in its place."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
            return False
        raise
    return True
