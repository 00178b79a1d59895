"""k-fold training: an ensemble of classifiers, each trained on all but one part of the training file.

The part that a classifier is not trained on chooses its best epoch; the validation file is only for evaluation.
Finished folds are kept in the scratch folder: a killed run resumes with the fold that it was training.
"""

import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.model_selection import StratifiedKFold

from relex.domain.examples import Example
from relex.errors import InvalidCsv
from relex.evaluation.calibration import calibrated
from relex.evaluation.ensemble_card import EnsembleFacts, ensemble_card, metrics_json
from relex.evaluation.evaluator import evaluate_stacked_votes
from relex.evaluation.metrics import Probabilities
from relex.evaluation.voting import stacked, vote
from relex.files.paths import sha256_of
from relex.model.checkpoint import save
from relex.model.devices import resolve_device
from relex.model.ensemble import EnsembleConfig, Vote, write_ensemble
from relex.model.folder import CALIBRATION, METRICS, MODEL_CARD, TRAIN_CONFIG, read_metrics
from relex.training import distributed
from relex.training.fitting import train_classifier, weight_format
from relex.training.history import Report
from relex.training.model_card import data_entry, further_scores, license_text
from relex.training.recipe.config import TrainingConfig
from relex.training.validation import Validation, gold_labels, predicted_labels, probabilities_of
from relex.training.workspace import Scratch, TrainingOutcome, TrainingPaths, digest_of

Part = tuple[Sequence[Example], Sequence[Example]]
"""The training examples of a fold, and the examples that choose its best epoch."""


def parts(examples: Sequence[Example], folds: int, seed: int, where: str) -> list[Part]:
    """Split the examples into folds with nearly the same label shares; each is held out once.

    Raises:
        InvalidCsv: no label has as many examples as there are folds, or some have no label or an unknown one; `where`
            names them.
    """
    gold = gold_labels(examples, where)
    if max(Counter(gold).values()) < folds:
        raise InvalidCsv(f"{where}: no label has {folds} examples, so they make no {folds} folds; lower train.folds")
    with warnings.catch_warnings():
        # A label with fewer examples than folds is missing in some of the parts, which cannot be avoided.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        splits = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(gold, gold))
    return [([examples[at] for at in train], [examples[at] for at in held_out]) for train, held_out in splits]


def train_folds(
    config: TrainingConfig,
    train: Sequence[Example],
    validation: Validation,
    report: Report,
    where: TrainingPaths,
) -> TrainingOutcome:
    """Train every fold and write the checkpoint of the ensemble; raises as `trainer.train` does."""
    validation.check("micro_f1")  # it does not choose an epoch
    # Computed first: the files may be moved during hours of training.
    digests = sha256_of(config.data.train), sha256_of(config.data.valid)
    made_from = digest_of(config, train, validation.examples, validation.target)
    run_folder = where.scratch / made_from[:16]
    folds = [
        _Fold(run_folder / f"fold-{number}", part, _fold_validation(config, part, held_out, validation.target))
        for number, (part, held_out) in enumerate(_parts_of(config, train), 1)
    ]
    progress = _Progress(report, len(folds))
    device = resolve_device(where.device)
    finished = [fold.checkpoint.is_dir() for fold in folds]  # read once: all processes must agree
    for number, fold in enumerate(folds, 1):
        if not finished[number - 1]:
            _train_fold(config, fold, progress.of_fold(number), device)
        progress.finished(fold.checkpoint)
    predictions = {fold.checkpoint: probabilities_of(fold.checkpoint, validation, device) for fold in folds}
    return _write_ensemble(config, train, validation, digests, predictions, where.folder)


@dataclass(frozen=True, slots=True)
class _Fold:
    """One of the classifiers: its checkpoint, its training examples and its validation."""

    checkpoint: Path
    train: Sequence[Example]
    validation: Validation


def _parts_of(config: TrainingConfig, train: Sequence[Example]) -> list[Part]:
    return parts(train, int(config.train.folds or 0), config.train.seed, str(config.data.train))


def _fold_validation(
    config: TrainingConfig, trained_on: Sequence[Example], held_out: Sequence[Example], target: Sequence[Example]
) -> Validation:
    """Create the validation of a fold, and check before any training that it can choose an epoch."""
    validation = Validation(held_out, f"a fold of {config.data.train}", trained_on=trained_on, target=target)
    validation.check(config.validation.metric)
    return validation


def _train_fold(config: TrainingConfig, fold: _Fold, report: Report, device: torch.device) -> None:
    scratch = fold.checkpoint.with_name(f"{fold.checkpoint.name}.scratch")
    trained = train_classifier(config, fold.train, fold.validation, report, scratch, device)
    history = trained.history
    training = {"history": history.epochs, "best_epoch": history.best_epoch, "seconds": history.seconds}
    texts = {METRICS: json.dumps({"training": training}, indent=2) + "\n"}
    if distributed.is_first():
        save(fold.checkpoint, trained.model, trained.tokenizer, texts, weight_format(config))
    distributed.wait_for_all()
    if distributed.is_first():  # all processes have read the best weights by now
        Scratch(scratch, made_from="").forget()


def _write_ensemble(
    config: TrainingConfig,
    train: Sequence[Example],
    validation: Validation,
    digests: tuple[str, str],
    checkpoints: Mapping[Path, tuple[Probabilities, Sequence[str]]],
    folder: Path,
) -> TrainingOutcome:
    """Evaluate the soft vote of the folds and write the ensemble with its members.

    Args:
        config: the recipe.
        train: the training examples.
        validation: the validation examples.
        digests: digests of the training file and of the validation file.
        checkpoints: the folds' checkpoints, each with its probabilities on the validation examples and its labels.
        folder: folder of the ensemble.
    """
    names = tuple(checkpoint.name for checkpoint in checkpoints)
    labels = next(iter(checkpoints.values()))[1]
    members = stacked(list(checkpoints.values()), labels)
    ensemble_report = evaluate_stacked_votes(names, members, validation.gold, labels)
    probabilities = vote(members, Vote.SOFT)
    generalization = validation.generalization(predicted_labels(probabilities, labels))
    # No fold was trained or chosen on the validation file, so these predictions are out-of-fold ones. Those of single
    # folds for their held-out parts are, too, but the vote is less confident than its members.
    calibration = calibrated(validation.examples, probabilities, labels, train, digests[1], out_of_fold=True)
    trainings = [read_metrics(checkpoint)["training"] for checkpoint in checkpoints]
    facts = EnsembleFacts(
        name=config.name,
        ensemble_report=ensemble_report,
        vote=Vote.SOFT,
        file_name=config.data.valid.name,
        file_sha256=digests[1],
        examples=len(validation.examples),
        made_by="relex train --config CHECKPOINT/train_config.yaml",
        license=license_text(config, train),
        further_scores=further_scores(generalization, config),
        training={"folds": trainings, "data": [data_entry(config, digests[0])]},
        calibration=calibration,
    )
    texts = {METRICS: metrics_json(facts), TRAIN_CONFIG: config.to_yaml(), MODEL_CARD: ensemble_card(facts)}
    if calibration:
        texts[CALIBRATION] = calibration.to_json()
    if distributed.is_first():
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_ensemble(folder, list(checkpoints), EnsembleConfig(vote=Vote.SOFT, members=names), texts)
    headline = ensemble_report.scores_of(Vote.SOFT).headline
    return TrainingOutcome(
        headline.micro_f1.value, headline.auprc.value, sum(len(each["history"]) for each in trainings)
    )


class _Progress:
    """Progress of the folds as of one long training, with consecutive epochs and steps."""

    def __init__(self, report: Report, folds: int) -> None:
        self._report = report
        self._folds = folds
        self._earlier: list[Mapping[str, Any]] = []
        """The epochs of the finished folds."""

    def finished(self, checkpoint: Path) -> None:
        """Add the epochs of a finished fold, which an earlier process may have trained."""
        history = read_metrics(checkpoint)["training"]["history"]
        self._earlier += [{**entry, "epoch": len(self._earlier) + place} for place, entry in enumerate(history, 1)]

    def of_fold(self, number: int) -> Report:
        """Return the function that receives the progress of a fold."""

        def report(progress: Mapping[str, Any]) -> None:
            epochs, steps = progress["epochs"], progress.get("steps", 0)
            before = len(self._earlier)
            history = [{**entry, "epoch": before + entry["epoch"]} for entry in progress["history"]]
            counted = {
                "fold": number,
                "folds": self._folds,
                "step": (number - 1) * steps + progress["step"],
                "steps": self._folds * steps,
                "epoch": before + progress["epoch"],
                "epochs": before + (self._folds - number + 1) * epochs,
                "history": [*self._earlier, *history],
            }
            self._report({**progress, **counted})

        return report
