"""Ensembles: evaluated from the predictions of ordinary jobs, registered as one version that votes.

Every member scores the labeled file once, as a job; all kinds of vote are evaluated from those predictions. The
evaluation itself is that of `flows.evaluate.Evaluator`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from relex.db import model_versions as table
from relex.db.connection import Database
from relex.domain.calibration import Calibration
from relex.domain.examples import Example
from relex.domain.versions import FP32, MODEL_NAME, ModelVersion, Scores, TrainingFile
from relex.errors import InvalidInput
from relex.evaluation.ensemble_card import EnsembleFacts, ensemble_card, metrics_json
from relex.evaluation.reports import EnsembleReport
from relex.files.atomic import new_files, write_json
from relex.flows.evaluate import (
    Evaluator,
    LabeledPredictions,
    Scored,
    complete,
    precision_of,
    remember,
    scores_of,
    seen_in,
)
from relex.flows.training_overlap import SeenRows
from relex.hints import jobs as hints
from relex.lazy import load_vote_calibrator
from relex.model.calibration import write_calibration
from relex.model.ensemble import EnsembleConfig, Vote, write_ensemble
from relex.model.folder import METRICS, MODEL_CARD
from relex.registry import model_versions
from relex.registry.promotion import Candidate, Decision, evaluate_rival, promote_if_better
from relex.registry.workspace import staging_folder
from relex.settings import Settings


class VoteCalibrator(Protocol):
    """A way to learn what the probabilities of a vote mean."""

    def __call__(
        self,
        examples: Sequence[Example],
        members: Sequence[LabeledPredictions],
        how: Vote,
        weights: Sequence[float] | None,
        data_sha256: str,
        /,
    ) -> Calibration | None:
        """Fit a calibration from the predictions of the members; None if the examples are few."""


@dataclass(frozen=True, slots=True)
class EnsembleEvaluation:
    """The members' predictions for one labeled file, and the metrics alone and together."""

    members: tuple[Scored, ...]
    ensemble_report: EnsembleReport
    seen: tuple[SeenRows, ...]
    """Whether members were trained on these rows, as far as that is known."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A new ensemble and the decision on its promotion."""

    version: ModelVersion
    decision: Decision
    """Whether it became current, and why."""


def members_of(database: Database, names: Sequence[str], name: str | None) -> tuple[str, ...]:
    """Return the versions that `names` mean, each `name@number`; `name` is that of the ensemble.

    Raises:
        ModelNotFound: there is no such version.
        InvalidInput: fewer than two, one of them twice, or a name that no version can have.
    """
    if name is not None and not re.fullmatch(MODEL_NAME, name):
        raise InvalidInput(f"{name}: a model's name has 1 to 64 letters, digits, _ and -; {hints.name_model()}")
    with database.transaction() as tx:
        versions = tuple(str(model_versions.choose(tx, each)) for each in names)
    twice = sorted({each for each in versions if versions.count(each) > 1})
    if twice:
        raise InvalidInput(f"{twice[0]} is named twice: each member votes once; {hints.list_models()}")
    if len(versions) < 2:  # noqa: PLR2004 - two is what makes it a vote
        raise InvalidInput(f"an ensemble has at least two members: name more versions; {hints.list_models()}")
    return versions


def evaluate_ensemble(database: Database, evaluator: Evaluator, job_ids: Sequence[str]) -> EnsembleEvaluation:
    """Evaluate jobs of one labeled file, one a member, and remember the scores with their versions.

    Raises:
        JobNotDone, RelexError: as `flows.evaluate.complete`.
        InvalidInput: the jobs are of different examples.
    """
    members = tuple(complete(database, job_id) for job_id in job_ids)
    examples = members[0].examples
    for other in members[1:]:
        if other.examples != examples:
            raise InvalidInput(f"{other.job.id} and {members[0].job.id} are of different examples: vote on one file")
    ensemble_report = evaluator.evaluate_votes(
        examples, [(str(each.version), each.predictions, each.version.labels) for each in members]
    )
    for member, headline in zip(members, ensemble_report.headlines, strict=True):
        remember(database, member, headline)
    return EnsembleEvaluation(members, ensemble_report, tuple(seen for member in members for seen in seen_in(member)))


def register(
    database: Database,
    settings: Settings,
    ensemble: EnsembleEvaluation,
    vote: Vote,
    name: str,
    evaluate_version: Callable[[ModelVersion], Scores] | None = None,
) -> Registered:
    """Write the ensemble's checkpoint, register it, and apply the rule of `registry.promotion`.

    An ensemble that is no better than its best member has a note that says so, and never becomes current by itself.
    `evaluate_version` scores the current version on this file; without it only known scores count.

    Raises:
        BadCheckpoint: a member's files are not on this machine.
    """
    with database.transaction() as tx:
        versions = [table.find(tx, member) for member in ensemble.ensemble_report.members]
    checkpoints = [model_versions.checkpoint_folder(settings, version) for version in versions]
    weights = ensemble.ensemble_report.scores_of(vote).weights
    config = EnsembleConfig(vote=vote, members=ensemble.ensemble_report.members, weights=weights)
    calibration = _calibration(ensemble, vote, weights)
    with staging_folder(settings, name) as checkpoint:
        write_ensemble(checkpoint, checkpoints, config, _texts(ensemble, vote, name, calibration))
        if calibration:
            write_calibration(checkpoint, calibration)
        facts = replace(model_versions.facts_of(checkpoint), trained_on=_trained_on(versions))
        with database.transaction() as tx:
            version = model_versions.keep(tx, settings, name, facts, checkpoint)
    headline, job = ensemble.ensemble_report.scores_of(vote).headline, ensemble.members[0].job
    scores = scores_of(ensemble.members[0], headline, _precision(ensemble))
    candidate = Candidate(scores, job.file_name, note=version.note)
    rival = evaluate_rival(database, candidate, evaluate_version)
    with database.transaction() as tx:
        return Registered(version, promote_if_better(tx, version, candidate, rival))


def ensemble_data(ensemble: EnsembleEvaluation, registered: Registered | None) -> Mapping[str, Any]:
    """Return the evaluation as plain data."""
    job = ensemble.members[0].job
    return {
        "model": str(registered.version) if registered else None,
        "current": registered.decision.promoted if registered else None,
        "reason": registered.decision.reason if registered else None,
        "file": job.file_name,
        "sha256": job.file_sha256,
        "rows": len(ensemble.members[0].examples),
        "precision": _precision(ensemble),
        "seen_rows": [asdict(each) for each in ensemble.seen],
        "jobs": [member.job.id for member in ensemble.members],
        **asdict(ensemble.ensemble_report),
    }


def write_votes(ensemble: EnsembleEvaluation, registered: Registered | None, out: Path) -> tuple[Path, ...]:
    """Write `votes.json` to a folder.

    Raises:
        RelexError: the folder cannot be written to, or another file goes by this name.
    """
    with new_files(out) as staging:
        name = write_json(staging / "votes.json", ensemble_data(ensemble, registered)).name
    return (out / name,)


def _trained_on(members: Sequence[ModelVersion]) -> tuple[TrainingFile, ...] | None:
    """Return the training files of all members, each once; None where one member does not say."""
    files: dict[str, TrainingFile] = {}
    for member in members:
        if member.trained_on is None:
            return None
        files |= {file.sha256: file for file in member.trained_on}
    return tuple(files.values())


def _precision(ensemble: EnsembleEvaluation) -> str:
    """Return the precision of the members' jobs: fp32 if it is that of all."""
    return next((each for each in map(precision_of, ensemble.members) if each != FP32), FP32)


def _calibration(ensemble: EnsembleEvaluation, vote: Vote, weights: Sequence[float] | None) -> Calibration | None:
    """Fit the calibration of a vote; None where the rows are few, or a member was trained on some of them."""
    if any(seen.certain for seen in ensemble.seen):
        return None
    first = ensemble.members[0]
    members = [(member.predictions, member.version.labels) for member in ensemble.members]
    return load_vote_calibrator()(first.examples, members, vote, weights, first.job.file_sha256)


def _texts(ensemble: EnsembleEvaluation, vote: Vote, name: str, calibration: Calibration | None) -> Mapping[str, str]:
    job = ensemble.members[0].job
    members = " ".join(ensemble.ensemble_report.members)
    facts = EnsembleFacts(
        name=name,
        ensemble_report=ensemble.ensemble_report,
        vote=vote,
        file_name=job.file_name,
        file_sha256=job.file_sha256,
        examples=len(ensemble.members[0].examples),
        precision=_precision(ensemble),
        training=_training(ensemble),
        calibration=calibration,
        made_by=f"relex ensemble {members} --on {job.file_name} --vote {vote} --name {name}",
    )
    return {METRICS: metrics_json(facts), MODEL_CARD: ensemble_card(facts)}


def _training(ensemble: EnsembleEvaluation) -> Mapping[str, Any] | None:
    """Return what metrics.json says about the members' training files."""
    files = _trained_on([member.version for member in ensemble.members])
    return None if files is None else {"data": [{"file": file.name, "sha256": file.sha256} for file in files]}
