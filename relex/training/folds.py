"""k-fold training: several classifiers of one recipe, each on all but one part of the training file, that vote.

The part that a classifier does not learn from chooses its best epoch, so the validation file only judges. Finished
folds lie in the scratch folder: a run that was killed goes on with the fold that it was in.
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
from relex.evaluation.ensemble_card import EnsembleFacts, ensemble_card, metrics_json
from relex.evaluation.evaluator import ballot_of
from relex.evaluation.metrics import Probabilities
from relex.evaluation.voting import stacked, vote
from relex.files.text import sha256_of
from relex.model.checkpoint import save
from relex.model.devices import resolve_device
from relex.model.ensemble import EnsembleConfig, Vote, write_ensemble
from relex.model.folder import METRICS, MODEL_CARD, TRAIN_CONFIG, read_metrics
from relex.training import distributed
from relex.training.fitting import save_dtype, train_classifier
from relex.training.history import Report
from relex.training.model_card import data_entry, further_scores, licence
from relex.training.recipe.config import TrainingConfig
from relex.training.validation import Validation, gold_labels, predicted_labels, probabilities_of
from relex.training.workspace import Scratch, TrainingOutcome, TrainingPaths, digest_of

Part = tuple[Sequence[Example], Sequence[Example]]
"""What a fold's classifier learns from, and the examples that choose its epoch."""


def parts(examples: Sequence[Example], folds: int, seed: int, where: str) -> list[Part]:
    """Every example is held out once; each part has the labels in nearly the same shares.

    Raises:
        InvalidCsv: no label has as many examples as there are folds, or some have no label or an unknown one; `where`
            names them.
    """
    gold = gold_labels(examples, where)
    if max(Counter(gold).values()) < folds:
        raise InvalidCsv(f"{where}: no label has {folds} examples, so they make no {folds} folds; lower train.folds")
    with warnings.catch_warnings():
        # A label with fewer examples than folds is missing in some of the parts: nothing better can be done.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        cut = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(gold, gold))
    return [([examples[at] for at in learned], [examples[at] for at in held]) for learned, held in cut]


def train_folds(
    config: TrainingConfig,
    train: Sequence[Example],
    validation: Validation,
    report: Report,
    where: TrainingPaths,
) -> TrainingOutcome:
    """Train every fold and write the ensemble's checkpoint; errors as `trainer.train`."""
    validation.check("micro_f1")  # it only judges
    # Before the hours of training, in which the files may be moved.
    digests = sha256_of(config.data.train), sha256_of(config.data.valid)
    made_from = digest_of(config, train, validation.examples, validation.target)
    own = where.scratch / made_from[:16]
    folds = [
        _Fold(own / f"fold-{number}", learned, _checked(config, learned, held, validation.target))
        for number, (learned, held) in enumerate(_parts_of(config, train), 1)
    ]
    progress = _Progress(report, len(folds))
    device = resolve_device(where.device)
    finished = [fold.checkpoint.is_dir() for fold in folds]  # asked once: all processes must agree
    for number, fold in enumerate(folds, 1):
        if not finished[number - 1]:
            _train_fold(config, fold, progress.of_fold(number), device)
        progress.finished(fold.checkpoint)
    found = {fold.checkpoint: probabilities_of(fold.checkpoint, validation, device) for fold in folds}
    return _put_together(config, train, validation, digests, found, where.folder)


@dataclass(frozen=True, slots=True)
class _Fold:
    """One of the classifiers: where it lies once it is trained, what it learns from, what chooses its epoch."""

    checkpoint: Path
    train: Sequence[Example]
    validation: Validation


def _parts_of(config: TrainingConfig, train: Sequence[Example]) -> list[Part]:
    return parts(train, int(config.train.folds or 0), config.train.seed, str(config.data.train))


def _checked(
    config: TrainingConfig, learned: Sequence[Example], held_out: Sequence[Example], target: Sequence[Example]
) -> Validation:
    """A fold's own validation, refused before the first fold is trained if it cannot choose an epoch."""
    validation = Validation(held_out, f"a fold of {config.data.train}", trained_on=learned, target=target)
    validation.check(config.validation.metric)
    return validation


def _train_fold(config: TrainingConfig, fold: _Fold, report: Report, device: torch.device) -> None:
    scratch = fold.checkpoint.with_name(f"{fold.checkpoint.name}.scratch")
    learned = train_classifier(config, fold.train, fold.validation, report, scratch, device)
    logbook = learned.logbook
    training = {"history": logbook.history, "best_epoch": logbook.best_epoch, "seconds": logbook.seconds}
    texts = {METRICS: json.dumps({"training": training}, indent=2) + "\n"}
    if distributed.is_first():
        save(fold.checkpoint, learned.model, learned.tokenizer, texts, save_dtype(config))
    distributed.wait_for_all()
    if distributed.is_first():  # all have read the best weights by now
        Scratch(scratch, made_from="").forget()


def _put_together(
    config: TrainingConfig,
    train: Sequence[Example],
    validation: Validation,
    digests: tuple[str, str],
    checkpoints: Mapping[Path, tuple[Probabilities, Sequence[str]]],
    folder: Path,
) -> TrainingOutcome:
    """Judge the folds' soft vote and write it down with its members.

    `digests` are those of the training and the validation file, `checkpoints` the folds' own, with what each says of
    the validation's examples and the order of its labels.
    """
    names = tuple(checkpoint.name for checkpoint in checkpoints)
    labels = next(iter(checkpoints.values()))[1]
    members = stacked(list(checkpoints.values()), labels)
    ballot = ballot_of(names, members, validation.gold, labels)
    elsewhere = validation.elsewhere(predicted_labels(vote(members, Vote.SOFT), labels))
    trainings = [read_metrics(checkpoint)["training"] for checkpoint in checkpoints]
    facts = EnsembleFacts(
        name=config.name,
        ballot=ballot,
        vote=Vote.SOFT,
        file_name=config.data.valid.name,
        file_sha256=digests[1],
        examples=len(validation.examples),
        made_by="relex train --config CHECKPOINT/train_config.yaml",
        licence=licence(config, train),
        further_scores=further_scores(elsewhere, config),
        training={"folds": trainings, "data": [data_entry(config, digests[0])]},
    )
    texts = {METRICS: metrics_json(facts), TRAIN_CONFIG: config.to_yaml(), MODEL_CARD: ensemble_card(facts)}
    if distributed.is_first():
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_ensemble(folder, list(checkpoints), EnsembleConfig(vote=Vote.SOFT, members=names), texts)
    headline = ballot.voted(Vote.SOFT).headline
    return TrainingOutcome(
        headline.micro_f1.value, headline.auprc.value, sum(len(each["history"]) for each in trainings)
    )


class _Progress:
    """Tells of the folds as of one long training: epochs and steps count on from fold to fold."""

    def __init__(self, report: Report, folds: int) -> None:
        self._report = report
        self._folds = folds
        self._earlier: list[Mapping[str, Any]] = []
        """The epochs of the folds before."""

    def finished(self, checkpoint: Path) -> None:
        """A fold has ended, in this process or in one that was killed."""
        history = read_metrics(checkpoint)["training"]["history"]
        self._earlier += [{**entry, "epoch": len(self._earlier) + place} for place, entry in enumerate(history, 1)]

    def of_fold(self, number: int) -> Report:
        """Whom the fold's training tells."""

        def tell(progress: Mapping[str, Any]) -> None:
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

        return tell
