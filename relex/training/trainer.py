"""From labelled examples to a checkpoint folder, and from a checkpoint folder to its scores.

transformers' Trainer runs the epochs. `building` gives it the classifier, `losses` what to minimise, `judging` the
scores after each epoch, `logbook` whom to tell. Nothing is written before the end, when the folder comes whole.
"""

import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from relex.analysis.metrics import Evaluation
from relex.csvfile.source import sha256_of
from relex.encoding.batches import collate
from relex.encoding.tokens import EncodedExample
from relex.examples import Example
from relex.labels import RELATIONS
from relex.model.checkpoint import load, save
from relex.model.classifier import RelationClassifier
from relex.model.folder import METRICS, MODEL_CARD, TRAIN_CONFIG
from relex.training.building import build_classifier
from relex.training.card import TrainingFacts, metrics_json, model_card
from relex.training.config import TrainingConfig
from relex.training.judging import Judge, gold_labels
from relex.training.logbook import Logbook, Report
from relex.training.losses import FocalLoss, loss_function


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """Scores x100 of the saved weights on the validation examples, and how many epochs were trained."""

    micro_f1: float
    auprc: float
    epochs: int


def train(
    config: TrainingConfig, train: Sequence[Example], valid: Sequence[Example], folder: Path, report: Report
) -> TrainingOutcome:
    """Train a classifier and write its whole checkpoint to `folder`; on failure nothing is left of it.

    Args:
        config: the recipe.
        train: labelled examples to learn from.
        valid: labelled examples that choose the best epoch.
        folder: where the checkpoint goes.
        report: told plain data about once a second: step, steps, epoch, epochs, loss (mean since the last report),
            learning_rate, seconds, and history (epoch, loss, micro_f1, auprc of each finished epoch). What it raises
            ends the training.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one.
        InvalidConfig, ModelNotFound, ServiceUnreachable: the backbone cannot be had as asked.
        RelexError: the loss is no number any more.
    """
    logbook = Logbook(config, report)
    gold = gold_labels(train, str(config.data.train))
    gold_labels(valid, str(config.data.valid))
    set_seed(config.train.seed)
    model, tokenizer = build_classifier(config, train)
    encoder = model.encoder(tokenizer)
    judge = Judge(model, encoder, tokenizer.pad_token_id, valid, str(config.data.valid))
    items = _items(encoder.encode(train), gold)
    precision = _fit(config, model, items, tokenizer.pad_token_id, judge, logbook)
    # What is judged and told is what is saved: the weights, rounded as they will be.
    dtype = getattr(torch, config.save.dtype)
    model.to(dtype).float()
    facts = TrainingFacts(
        config=config,
        train=train,
        valid=valid,
        valid_sha256=sha256_of(config.data.valid),
        evaluation=judge.evaluation(),
        history=logbook.history,
        best_epoch=logbook.best_epoch,
        seconds=logbook.seconds,
        device=_device_name(model.device),
        precision=precision,
        parameters=model.num_parameters(),
    )
    _save(folder, model, tokenizer, facts, dtype)
    return TrainingOutcome(facts.evaluation.micro_f1, facts.evaluation.auprc, len(logbook.history))


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
    return Judge(loaded.model, loaded.encoder, loaded.pad_token_id, examples, "evaluation").evaluation()


def _fit(
    config: TrainingConfig,
    model: RelationClassifier,
    items: list[dict[str, Any]],
    pad_token_id: int,
    judge: Judge,
    logbook: Logbook,
) -> str:
    """Train all epochs and leave the best one's weights in the model; the precision that was computed in."""
    keeper = _Keeper(logbook)
    with tempfile.TemporaryDirectory() as unused:
        trainer = _RelationTrainer(
            model=model,
            args=_arguments(config, unused),
            train_dataset=items,
            data_collator=_Collator(pad_token_id),
            callbacks=[keeper],
            loss=loss_function(config.loss, RELATIONS),
            judge=judge,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    model.load_state_dict(keeper.best_weights)
    return "bf16" if trainer.args.bf16 else "fp32"


def _items(encoded: Sequence[EncodedExample], gold: Sequence[str]) -> list[dict[str, Any]]:
    """Training examples for transformers, which groups them by the length of `input_ids`."""
    index = {label: number for number, label in enumerate(RELATIONS)}
    return [
        {"input_ids": item.input_ids, "encoded": item, "gold": index[label]}
        for item, label in zip(encoded, gold, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Collator:
    """Items to the tensors of one batch."""

    pad_token_id: int

    def __call__(self, items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        batch = collate([item["encoded"] for item in items], self.pad_token_id)
        return batch.tensors() | {"gold": torch.tensor([item["gold"] for item in items])}


class _RelationTrainer(Trainer):
    """transformers' Trainer with our loss and our scores."""

    def __init__(self, *, loss: FocalLoss, judge: Judge, **parts: Any) -> None:
        super().__init__(**parts)
        self._loss = loss.to(self.args.device)
        self._judge = judge

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The mean loss of a batch; transformers divides it by the batches a step."""
        gold = inputs.pop("gold")
        loss: Tensor = self._loss(model(**inputs).logits, gold)
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score all validation examples and tell the callbacks."""
        scores = self._judge.scores()
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, scores)
        return scores


class _Keeper(TrainerCallback):
    """Writes the logbook, keeps the best epoch's weights, and stops when patience is out."""

    def __init__(self, logbook: Logbook) -> None:
        self.best_weights: dict[str, Tensor] = {}
        self._logbook = logbook

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for the mean loss only when it will be told: reading it waits for the device."""
        control.should_log = self._logbook.due

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Have the rest of the epoch's loss told, and then its scores."""
        control.should_log = control.should_evaluate = True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write the steps since the last time; transformers' closing summary has no learning rate."""
        logs = kwargs["logs"]
        if "learning_rate" in logs:
            self._logbook.add_steps(state.global_step, state.max_steps, logs["loss"], logs["learning_rate"])

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Close the epoch."""
        if self._logbook.add_epoch(kwargs["metrics"]):
            weights = kwargs["model"].state_dict()
            self.best_weights = {name: tensor.to("cpu", copy=True) for name, tensor in weights.items()}
        control.should_training_stop |= self._logbook.out_of_patience


def _arguments(config: TrainingConfig, unused: str) -> TrainingArguments:
    """The recipe in transformers' words; nothing is saved, printed or sent anywhere by it."""
    settings = config.train
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=unused,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        # Below 1 it is a share of all steps.
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.precision == "bf16" or (settings.precision == "auto" and _multiplies_bf16()),
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        seed=settings.seed,
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )


def _multiplies_bf16() -> bool:
    """Whether this machine multiplies bf16 in hardware; elsewhere it is slower than fp32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


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
