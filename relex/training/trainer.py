"""Training from labeled examples to a checkpoint folder, and evaluation of a checkpoint folder.

`fitting` trains one classifier, `folds` several that vote. Until the end only the scratch folder is written to; then
the checkpoint appears whole.
"""

import platform
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from relex.domain.examples import Example
from relex.evaluation.calibration import calibrated
from relex.evaluation.metrics import Evaluation, evaluation
from relex.files.paths import sha256_of
from relex.files.reading import read_target_examples
from relex.model.checkpoint import save
from relex.model.devices import resolve_device
from relex.model.folder import CALIBRATION, METRICS, MODEL_CARD, TRAIN_CONFIG
from relex.training import distributed
from relex.training.fitting import train_classifier, weight_format
from relex.training.folds import train_folds
from relex.training.history import Report
from relex.training.model_card import TrainingFacts, metrics_json, model_card
from relex.training.recipe.config import TrainingConfig
from relex.training.validation import Validation, predicted_labels, probabilities_of
from relex.training.workspace import TrainingOutcome, TrainingPaths


def train(  # noqa: PLR0913 - every training needs all of them
    config: TrainingConfig,
    train: Sequence[Example],
    valid: Sequence[Example],
    folder: Path,
    report: Report,
    scratch: Path | None = None,
    *,
    device: str = "auto",
) -> TrainingOutcome:
    """Train a classifier and write its checkpoint to `folder`; a failure leaves no checkpoint.

    Args:
        config: the recipe.
        train: labeled training examples.
        valid: labeled examples that choose the best epoch; with folds they only evaluate the ensemble.
        folder: folder of the checkpoint.
        report: called about once a second with plain data: step, steps, epoch, epochs, loss (mean since the last
            report), learning_rate, seconds, and history (epoch, loss and `Validation.scores` of each finished epoch).
            An exception that it raises stops the training.
        scratch: a folder that outlives this process, for this training only. A state of the same training in it (same
            recipe, same examples) is resumed, with the outcome of an uninterrupted run. It also holds the TensorBoard
            logs. The caller removes it. None: a temporary folder.
        device: a torch device; auto uses a GPU if there is one. One of several processes uses its own GPU.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one.
        InvalidConfig: the validation examples cannot give the metric that chooses the epoch.
        InvalidConfig, ModelNotFound, ServiceUnreachable: the backbone cannot be fetched or read.
        RelexError: the loss is not finite.
    """
    # transformers draws progress bars while it reads and writes weights; a worker's log is not a terminal.
    disable_progress_bar()
    target = read_target_examples(config.validation.like, config.data.reading) if config.validation.like else []
    validation = Validation(valid, str(config.data.valid), trained_on=train, target=target)
    with nullcontext(scratch) if scratch else tempfile.TemporaryDirectory() as work_folder:
        paths = TrainingPaths(folder, Path(work_folder), device)
        train_function = train_folds if config.train.folds else _train_one
        return train_function(config, train, validation, report, paths)


def _train_one(
    config: TrainingConfig,
    train: Sequence[Example],
    validation: Validation,
    report: Report,
    paths: TrainingPaths,
) -> TrainingOutcome:
    # Computed first: the files may be moved during hours of training.
    train_sha256, valid_sha256 = sha256_of(config.data.train), sha256_of(config.data.valid)
    trained = train_classifier(config, train, validation, report, paths.scratch, resolve_device(paths.device))
    history, model = trained.history, trained.model
    probabilities, labels = trained.evaluator.probabilities(), model.relation.labels
    scores = evaluation(validation.gold, probabilities, labels)
    calibration = calibrated(validation.examples, probabilities, labels, train, valid_sha256)
    facts = TrainingFacts(
        config=config,
        train=train,
        valid=validation.examples,
        train_sha256=train_sha256,
        valid_sha256=valid_sha256,
        evaluation=scores,
        generalization=validation.generalization(predicted_labels(probabilities, labels)),
        calibration=calibration,
        history=history.epochs,
        best_epoch=history.best_epoch,
        seconds=history.seconds,
        device=_device_name(model.device),
        precision=trained.precision,
        parameters=model.num_parameters(),
    )
    texts = {METRICS: metrics_json(facts), TRAIN_CONFIG: config.to_yaml(), MODEL_CARD: model_card(facts)}
    if calibration:
        texts[CALIBRATION] = calibration.to_json()
    if distributed.is_first():
        paths.folder.parent.mkdir(parents=True, exist_ok=True)
        save(paths.folder, model, trained.tokenizer, texts, weight_format(config))
    return TrainingOutcome(scores.micro_f1, scores.auprc, len(history.epochs))


def evaluate(folder: Path, examples: Sequence[Example], device: str = "auto") -> Evaluation:
    """Score a checkpoint on labeled examples.

    Args:
        folder: a checkpoint of relex.
        examples: examples with gold labels.
        device: a torch device; auto uses a GPU if there is one.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one.
        BadCheckpoint: the folder cannot be read.
        InvalidConfig: this machine has no such device.
    """
    validation = Validation(examples, "evaluation")
    return evaluation(validation.gold, *probabilities_of(folder, validation, resolve_device(device)))


def _device_name(device: torch.device) -> str:
    """Return the name of the GPUs, or the number of CPU cores and their architecture."""
    together = f"{distributed.world_size()} x " if distributed.world_size() > 1 else ""
    if device.type == "cuda":
        return f"{together}{torch.cuda.get_device_name(device)}"
    return f"{together}{torch.get_num_threads()} CPU cores ({platform.machine()})"
