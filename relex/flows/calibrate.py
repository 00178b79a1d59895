"""Calibrating a registered model version on a labeled file, from the predictions of an ordinary job.

A version does not change: the calibrated one is the next version of its name, with the same weights.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from relex.db import model_versions as table
from relex.db.connection import Database
from relex.domain.calibration import Calibration, Profile
from relex.domain.examples import Example, Prediction
from relex.domain.versions import ModelVersion
from relex.errors import InvalidInput
from relex.evaluation.calibration_card import calibration_text
from relex.flows.evaluate import complete, seen_in
from relex.hints import jobs as hints
from relex.model import folder
from relex.model.calibration import describe_calibration, write_calibration
from relex.registry import model_versions
from relex.registry.workspace import staging_folder
from relex.settings import Settings


class Calibrator(Protocol):
    """A way to learn what probabilities mean."""

    def __call__(
        self,
        examples: Sequence[Example],
        predictions: Sequence[Prediction],
        labels: Sequence[str],
        data_sha256: str,
        trained: Profile | None,
        /,
    ) -> Calibration:
        """Fit a calibration from predictions, one for each labeled example."""


def calibrate(database: Database, settings: Settings, calibrator: Calibrator, job_id: str) -> tuple[ModelVersion, str]:
    """Register the version of a job again, with a calibration on the job's labeled file.

    It becomes current if the version without it was. A version that has this calibration already stays the one it is.

    Args:
        database: where the job is.
        settings: where the checkpoints are.
        calibrator: as `relex.lazy` loads it.
        job_id: a job of a file in which every row has a gold label.

    Returns:
        The calibrated version, and its calibration in words.

    Raises:
        JobNotDone, RelexError: as `flows.evaluate.complete`.
        InvalidInput: the version was trained on these rows, or they are too few.
        BadCheckpoint: the version's files are not on this machine.
    """
    scored = complete(database, job_id)
    before = scored.version
    for seen in seen_in(scored):
        if seen.certain:
            raise InvalidInput(
                f"{seen.text}; a calibration needs rows that the version was not trained on, {hints.split_data()}"
            )
    with database.transaction() as tx:
        earlier = table.calibration_of(tx, str(before))
    calibration = calibrator(
        scored.examples,
        scored.predictions,
        before.labels,
        scored.job.file_sha256,
        earlier.trained if earlier else None,
    )
    words = calibration_text(calibration, scored.job.file_name)
    with staging_folder(settings, before.name) as copy:
        shutil.copytree(model_versions.checkpoint_folder(settings, before), copy)
        write_calibration(copy, calibration)
        describe_calibration(copy, words)
        return _register(database, settings, before, calibration, copy), words


def _register(
    database: Database, settings: Settings, before: ModelVersion, calibration: Calibration, copy: Path
) -> ModelVersion:
    """Register a calibrated copy of a version with all that is known of the version."""
    digests = folder.digests(copy)
    with database.transaction() as tx:
        version = table.register(
            tx,
            before.name,
            before.labels,
            digests,
            before.scores,
            before.run_id,
            note=before.note,
            trained_on=before.trained_on,
            calibration=calibration,
        )
        model_versions.install(settings, copy, version)
        if before.current:
            table.promote_over(tx, version, before)
        return table.find(tx, str(version))
