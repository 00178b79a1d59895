"""Model versions and their checkpoint folders: which there are, which is current, where its files lie.

A version's files are validation under the home folder, or among the checkpoints that came with relex; the digests in
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
from relex.domain.runs import RunId
from relex.domain.versions import FP32, ModelVersion, Scores, TrainingFile
from relex.errors import BadCheckpoint, ModelNotFound
from relex.hints import jobs as hints
from relex.model import folder
from relex.registry.workspace import staging_folder
from relex.settings import Settings

logger = logging.getLogger(__name__)

SHIPPED = Path(str(resources.files("relex").joinpath("checkpoints")))


def every(database: Database) -> list[ModelVersion]:
    """All model versions, newest first."""
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
    """The version asked for, or the current one.

    Raises:
        ModelNotFound: no such version, or none is current yet.
    """
    version = table.current(tx) if name is None else table.find(tx, name)
    if version is None:
        raise ModelNotFound(f"there is no model version yet; {hints.first_model()}")
    return version


def shipped_is_registered(database: Database) -> bool:
    """Whether the checkpoints that came with this relex are all known to the database."""
    with database.transaction() as tx:
        known = [version.digests for version in table.every(tx)]
    return all(folder.digests(checkpoint) in known for checkpoint in _shipped())


def register_shipped(database: Database, settings: Settings) -> None:
    """Register the checkpoints that came with relex, and keep copies: the next relex may ship others.

    One becomes current where none is, or where an older shipped one is: a version of one's own stays current.
    """
    for checkpoint in _shipped():
        facts = facts_of(checkpoint)
        with database.transaction() as tx, staging_folder(settings, checkpoint.name) as copy:
            version = table.register(
                tx, checkpoint.name, facts.labels, facts.digests, [facts.scores], trained_on=facts.trained_on
            )
            shutil.copytree(checkpoint, copy)
            install(settings, copy, version)
            current = table.current(tx)
            if current is None or _gives_way(current, version):
                table.promote(tx, version)


def _gives_way(current: ModelVersion, shipped: ModelVersion) -> bool:
    """Whether the current version came with an earlier relex; what somebody trained here did not."""
    return current.name == shipped.name and current.number < shipped.number and current.run_id is None


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """What is registered of a checkpoint folder."""

    labels: tuple[str, ...]
    digests: Mapping[str, str]
    scores: Scores
    note: str | None
    """Why it should not be made current by itself, where there is a reason."""
    trained_on: Sequence[TrainingFile] | None
    """None where it does not say."""


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
    scores, trained_on_files = [facts.scores], facts.trained_on
    version = table.register(
        tx, name, facts.labels, facts.digests, scores, run_id, note=facts.note, trained_on=trained_on_files
    )
    install(settings, checkpoint, version)
    return version


def version_dir(settings: Settings, version: ModelVersion) -> Path:
    """Where the files of a version are put: under its name, by its content."""
    return settings.home / "models" / version.name / folder.fingerprint(version.digests)


def _own_places(settings: Settings, version: ModelVersion) -> list[Path]:
    """Where the files of a version may lie in the home folder; earlier versions of relex went by the number."""
    return [version_dir(settings, version), settings.home / "models" / version.name / str(version.number)]


def locate(database: Database, settings: Settings, model: str) -> Path:
    """The checkpoint folder of the version called `name@number`; raises as :func:`checkpoint_folder`."""
    with database.transaction() as tx:
        version = table.find(tx, model)
    return checkpoint_folder(settings, version)


def checkpoint_folder(settings: Settings, version: ModelVersion) -> Path:
    """The folder of a version, with every file as it was when it was registered.

    Raises:
        BadCheckpoint: not on this machine, or altered.
    """
    places = _own_places(settings, version)
    for place in (*places, SHIPPED / version.name):
        if _holds(place, version):
            return place
    for place in places:
        if place.is_dir():
            folder.verify(place, version.digests)  # says which file it is
    raise BadCheckpoint(f"{version}: no folder {places[0]} here; all workers must share one RELEX_HOME")


def scores_of(checkpoint: Path) -> Scores:
    """How a checkpoint did on its own validation file.

    Raises:
        BadCheckpoint: its metrics.json is missing or not relex's own.
    """
    try:
        validation = folder.read_metrics(checkpoint)["validation"]
        precision = validation.get(
            "precision", FP32
        )  # earlier versions of relex evaluated in fp32 and did not record it
        figures = float(validation["micro_f1"]), float(validation["auprc"])
        scores = Scores(validation["sha256"], int(validation["examples"]), *figures, precision)
        if not (re.fullmatch(r"[\w.-]+", scores.data_sha256) and isfinite(sum(figures))):
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{checkpoint / folder.METRICS}: no validation scores; it is not relex's own") from error
    return scores


def note_of(checkpoint: Path) -> str | None:
    """What a checkpoint's metrics.json says against it, if anything; raises as :func:`scores_of`."""
    note = folder.read_metrics(checkpoint).get("note")
    return None if note is None else str(note)


def trained_on(checkpoint: Path) -> tuple[TrainingFile, ...] | None:
    """The files that a checkpoint says it was trained on, if it does; raises as :func:`scores_of`."""
    metrics = folder.read_metrics(checkpoint)
    try:
        return tuple(TrainingFile(str(each["file"]), str(each["sha256"])) for each in metrics["training"]["data"])
    except (KeyError, TypeError):
        return None


def _shipped() -> list[Path]:
    return sorted(config.parent for config in SHIPPED.glob("*/config.json"))


def _holds(place: Path, version: ModelVersion) -> bool:
    """Whether exactly the version's files lie there; a folder that is missing or incomplete holds nothing."""
    try:
        return folder.digests(place) == dict(version.digests)
    except BadCheckpoint:
        return False


def install(settings: Settings, checkpoint: Path, version: ModelVersion) -> None:
    """Put a checkpoint where its version is looked for, unless the same files are there already."""
    if any(_holds(place, version) for place in _own_places(settings, version)):
        shutil.rmtree(checkpoint, ignore_errors=True)
    else:
        _move(checkpoint, version_dir(settings, version), version)


def _move(checkpoint: Path, target: Path, version: ModelVersion) -> None:
    """Move a folder to its place; what stands there stays if it is the same, and is moved aside if it was altered."""
    target.parent.mkdir(parents=True, exist_ok=True)
    while not _renamed(checkpoint, target):
        if _holds(target, version):  # another database registered it at this moment
            shutil.rmtree(checkpoint, ignore_errors=True)
            return
        aside = target.with_name(f"{target.name}.altered-{uuid4().hex[:8]}")
        with suppress(FileNotFoundError):
            target.rename(aside)
            logger.warning("%s: %s was altered; it is now %s", version, target, aside)


def _renamed(source: Path, target: Path) -> bool:
    """Rename a folder; False where a file or a folder with files stands in its place."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
            return False
        raise
    return True
