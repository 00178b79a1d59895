"""From labelled examples to a checkpoint folder, and from a checkpoint folder to its scores.

`building` gives the classifier, `fitting` trains it, `judging` scores it, `logbook` tells about it. Until the end only
the scratch folder is written to; then the checkpoint comes whole.
"""

import platform
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, set_seed
from transformers.utils.logging import disable_progress_bar

from relex.analysis.metrics import Evaluation
from relex.csvfile.reading import read_whole
from relex.csvfile.source import sha256_of
from relex.examples import Example
from relex.model.checkpoint import load, save
from relex.model.classifier import RelationClassifier
from relex.model.folder import METRICS, MODEL_CARD, TRAIN_CONFIG
from relex.training.building import build_classifier
from relex.training.card import TrainingFacts, metrics_json, model_card
from relex.training.config import TrainingConfig
from relex.training.fitting import fit
from relex.training.judging import Judge
from relex.training.logbook import Logbook, Report
from relex.training.material import Material
from relex.training.scratch import Scratch, digest_of
from relex.training.validation import Validation, gold_labels


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """Scores x100 of the saved weights on the validation examples, and how many epochs were trained."""

    micro_f1: float
    auprc: float
    epochs: int


def train(
    config: TrainingConfig,
    train: Sequence[Example],
    valid: Sequence[Example],
    folder: Path,
    report: Report,
    scratch: Path | None = None,
) -> TrainingOutcome:
    """Train a classifier and write its whole checkpoint to `folder`; on failure nothing is left of it.

    Args:
        config: the recipe.
        train: labelled examples to learn from.
        valid: labelled examples that choose the best epoch.
        folder: where the checkpoint goes.
        report: told plain data about once a second: step, steps, epoch, epochs, loss (mean since the last report),
            learning_rate, seconds, and history (epoch, loss and `Validation.scores` of each finished epoch). What it
            raises ends the training.
        scratch: a folder that outlives this process; nobody else may write to it meanwhile. A state of the same
            training in it (same recipe, same examples) is gone on from, and the outcome is that of an undisturbed
            run. It also gets the TensorBoard logs. The caller removes it. None: a folder that goes with the call.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one.
        InvalidConfig: the validation examples cannot give the metric that chooses the epoch.
        InvalidConfig, ModelNotFound, ServiceUnreachable: the backbone cannot be had as asked.
        RelexError: the loss is no number any more.
    """
    # transformers and the hub draw bars while they read and write weights; a worker's log is no terminal.
    disable_progress_bar()
    logbook = Logbook(config, report)
    gold = gold_labels(train, str(config.data.train))
    target = read_whole(config.validation.like) if config.validation.like else []
    validation = Validation(valid, str(config.data.valid), trained_on=train, target=target)
    validation.check(config.validation.metric)
    set_seed(config.train.seed)
    model, tokenizer = build_classifier(config, train)
    encoder = model.encoder(tokenizer)
    judge = Judge(model, encoder, tokenizer.pad_token_id, validation)
    material = Material(encoder.encode(train), gold, tokenizer.pad_token_id)
    with nullcontext(scratch) if scratch else tempfile.TemporaryDirectory() as place:
        kept = Scratch(Path(place), digest_of(config, train, valid, target))
        precision = fit(config, model, material, judge, logbook, kept)
    # What is judged and told is what is saved: the weights, rounded as they will be.
    dtype = getattr(torch, config.save.dtype)
    model.to(dtype).float()
    evaluation, elsewhere = judge.verdict()
    facts = TrainingFacts(
        config=config,
        train=train,
        valid=valid,
        valid_sha256=sha256_of(config.data.valid),
        evaluation=evaluation,
        elsewhere=elsewhere,
        history=logbook.history,
        best_epoch=logbook.best_epoch,
        seconds=logbook.seconds,
        device=_device_name(model.device),
        precision=precision,
        parameters=model.num_parameters(),
    )
    _save(folder, model, tokenizer, facts, dtype)
    return TrainingOutcome(evaluation.micro_f1, evaluation.auprc, len(logbook.history))


def evaluate(folder: Path, examples: Sequence[Example], device: str = "auto") -> Evaluation:
    """Score a checkpoint on labelled examples.

    Args:
        folder: any checkpoint of relex.
        examples: with a gold label each.
        device: a torch device; auto takes a GPU if there is one.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one.
        BadCheckpoint: the folder cannot be read.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    loaded = load(folder, device)
    judge = Judge(loaded.model, loaded.encoder, loaded.pad_token_id, Validation(examples, "evaluation"))
    return judge.verdict()[0]


def _device_name(device: torch.device) -> str:
    """A name for people: the GPU's, or the processor's kind and how many of its cores were used."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{torch.get_num_threads()} CPU cores ({platform.machine()})"


def _save(
    folder: Path,
    model: RelationClassifier,
    tokenizer: PreTrainedTokenizerFast,
    facts: TrainingFacts,
    dtype: torch.dtype,
) -> None:
    texts = {METRICS: metrics_json(facts), TRAIN_CONFIG: facts.config.to_yaml(), MODEL_CARD: model_card(facts)}
    folder.parent.mkdir(parents=True, exist_ok=True)
    save(folder, model, tokenizer, texts, dtype)
