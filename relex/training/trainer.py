"""From labelled examples to a checkpoint folder, and from a checkpoint folder to its scores.

`learning` trains one classifier, `folds` several that vote. Until the end only the scratch folder is written to; then
the checkpoint comes whole.
"""

import platform
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from relex.domain.examples import Example
from relex.evaluation.metrics import Evaluation, evaluation
from relex.files.reading import read_whole
from relex.files.text import sha256_of
from relex.model.checkpoint import save
from relex.model.devices import resolve_device
from relex.model.folder import METRICS, MODEL_CARD, TRAIN_CONFIG
from relex.training import distributed
from relex.training.fitting import save_dtype, train_classifier
from relex.training.folds import train_folds
from relex.training.history import Report
from relex.training.model_card import TrainingFacts, metrics_json, model_card
from relex.training.recipe.config import TrainingConfig
from relex.training.validation import Validation, probabilities_of
from relex.training.workspace import TrainingOutcome, TrainingPaths


def train(  # noqa: PLR0913 - what every training needs, by name where it is not plain
    config: TrainingConfig,
    train: Sequence[Example],
    valid: Sequence[Example],
    folder: Path,
    report: Report,
    scratch: Path | None = None,
    *,
    device: str = "auto",
) -> TrainingOutcome:
    """Train a classifier and write its whole checkpoint to `folder`; on failure nothing is left of it.

    Args:
        config: the recipe.
        train: labelled examples to learn from.
        valid: labelled examples that choose the best epoch; with folds they only judge what came out.
        folder: where the checkpoint goes.
        report: told plain data about once a second: step, steps, epoch, epochs, loss (mean since the last report),
            learning_rate, seconds, and history (epoch, loss and `Validation.scores` of each finished epoch). What it
            raises ends the training.
        scratch: a folder that outlives this process; nobody else may write to it meanwhile. A state of the same
            training in it (same recipe, same examples) is gone on from, and the outcome is that of an undisturbed
            run. It also gets the TensorBoard logs. The caller removes it. None: a folder that goes with the call.
        device: a torch device; auto takes a GPU if there is one. One of several processes takes its own.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one.
        InvalidConfig: the validation examples cannot give the metric that chooses the epoch.
        InvalidConfig, ModelNotFound, ServiceUnreachable: the backbone cannot be had as asked.
        RelexError: the loss is no number any more.
    """
    # transformers and the hub draw bars while they read and write weights; a worker's log is no terminal.
    disable_progress_bar()
    target = read_whole(config.validation.like, config.data.encoding) if config.validation.like else []
    validation = Validation(valid, str(config.data.valid), trained_on=train, target=target)
    with nullcontext(scratch) if scratch else tempfile.TemporaryDirectory() as place:
        where = TrainingPaths(folder, Path(place), device)
        how = train_folds if config.train.folds else _train_one
        return how(config, train, validation, report, where)


def _train_one(
    config: TrainingConfig,
    train: Sequence[Example],
    validation: Validation,
    report: Report,
    where: TrainingPaths,
) -> TrainingOutcome:
    # Before the hours of training, in which the files may be moved.
    train_sha256, valid_sha256 = sha256_of(config.data.train), sha256_of(config.data.valid)
    learned = train_classifier(config, train, validation, report, where.scratch, resolve_device(where.device))
    logbook, model = learned.logbook, learned.model
    scores, elsewhere = learned.judge.verdict()
    facts = TrainingFacts(
        config=config,
        train=train,
        valid=validation.examples,
        train_sha256=train_sha256,
        valid_sha256=valid_sha256,
        evaluation=scores,
        elsewhere=elsewhere,
        history=logbook.history,
        best_epoch=logbook.best_epoch,
        seconds=logbook.seconds,
        device=_device_name(model.device),
        precision=learned.precision,
        parameters=model.num_parameters(),
    )
    texts = {METRICS: metrics_json(facts), TRAIN_CONFIG: config.to_yaml(), MODEL_CARD: model_card(facts)}
    if distributed.is_first():
        where.folder.parent.mkdir(parents=True, exist_ok=True)
        save(where.folder, model, learned.tokenizer, texts, save_dtype(config))
    return TrainingOutcome(scores.micro_f1, scores.auprc, len(logbook.history))


def evaluate(folder: Path, examples: Sequence[Example], device: str = "auto") -> Evaluation:
    """Score a checkpoint on labelled examples.

    Args:
        folder: any checkpoint of relex.
        examples: with a gold label each.
        device: a torch device; auto takes a GPU if there is one.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one.
        BadCheckpoint: the folder cannot be read.
        InvalidConfig: this machine has no such device.
    """
    validation = Validation(examples, "evaluation")
    return evaluation(validation.gold, *probabilities_of(folder, validation, resolve_device(device)))


def _device_name(device: torch.device) -> str:
    """A name for people: the GPUs', or the processor's kind and how many of its cores were used."""
    together = f"{distributed.count()} x " if distributed.count() > 1 else ""
    if device.type == "cuda":
        return f"{together}{torch.cuda.get_device_name(device)}"
    return f"{together}{torch.get_num_threads()} CPU cores ({platform.machine()})"
