"""The epochs: transformers' Trainer with our loss, our order of examples and our scores.

`trainer` prepares and closes a training; here the weights move. A training that finds a state of its own in the
scratch folder goes on from there, and ends as if it had never been killed: equal loss by step, equal weights.

One classifier, from a recipe and its examples to the weights that will be saved.

`trainer` keeps one such classifier as a checkpoint, `folds` several that vote. Only the scratch folder is written to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tensorboardX import SummaryWriter
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, PrinterCallback, Trainer, TrainingArguments, set_seed
from transformers.integrations.integration_utils import TensorBoardCallback

from relex.domain.examples import Example
from relex.encoding.tokens import Encoder
from relex.errors import InvalidConfig
from relex.labels import RELATIONS
from relex.model.classifier import RelationClassifier
from relex.model.devices import half_precision
from relex.training import distributed
from relex.training.callbacks import PREFIX, CheckpointCallback
from relex.training.data import Collator, EpochOrder, TrainingData
from relex.training.history import Report, TrainingHistory
from relex.training.losses import FocalLoss, RDropLoss, loss_function
from relex.training.model_factory import build_classifier
from relex.training.recipe.config import TrainingConfig
from relex.training.validation import ClassifierEvaluator, Validation, gold_labels
from relex.training.workspace import Scratch, digest_of


def run_trainer(
    config: TrainingConfig,
    model: RelationClassifier,
    material: TrainingData,
    judge: ClassifierEvaluator,
    logbook: TrainingHistory,
    scratch: Scratch,
) -> str:
    """Train all epochs and leave the best one's weights in the model.

    Args:
        config: the recipe.
        model: as it starts.
        material: to learn from.
        judge: holds the same model.
        logbook: empty; filled from the newest state in `scratch` if there is one.
        scratch: keeps the states.

    Returns:
        The precision that was computed in: bf16 or fp32.
    """
    found = scratch.newest()
    if found:
        logbook.restore(found[1])
    arguments = _arguments(config, scratch.folder, model.device)
    lengths = [len(item.input_ids) for item in material.encoded]
    order = EpochOrder(
        lengths,
        config.train.batch_size,
        config.train.seed,
        fill=distributed.count() > 1,
        hide=config.train.entity_mask_prob,
    )
    trainer = _RelationTrainer(
        model=model,
        args=arguments,
        train_dataset=material.items(),
        data_collator=Collator(material.pad_token_id, config.input.max_length),
        callbacks=[CheckpointCallback(logbook, scratch, order, config.train.save_minutes)],
        loss=loss_function(config.loss, RELATIONS),
        order=order,
        judge=judge,
    )
    trainer.remove_callback(PrinterCallback)
    if not logbook.finished:
        # Steps that the killed process told after its last state are told again, not twice.
        if distributed.is_first():
            # Its files are named by the second, and one that goes on in the same second must not replace them.
            writer = SummaryWriter(
                str(scratch.tensorboard), purge_step=logbook.step + 1, filename_suffix=f".{logbook.step}"
            )
            trainer.add_callback(TensorBoardCallback(writer))
        trainer.train(resume_from_checkpoint=str(found[0]) if found else None)
    distributed.wait_for_all()
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    model.load_state_dict(load_file(scratch.best_weights(logbook.best_epoch)))
    return "bf16" if arguments.bf16 else "fp32"


class _RelationTrainer(Trainer):
    """transformers' Trainer with our loss, our order and our scores."""

    def __init__(
        self, *, loss: FocalLoss | RDropLoss, order: EpochOrder, judge: ClassifierEvaluator, **parts: Any
    ) -> None:
        super().__init__(**parts)
        self._loss = loss.to(self.args.device)
        self._order = order
        self._judge = judge

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The mean loss of a batch; transformers divides it by the batches a step.

        Among several processes each example of the whole batch weighs alike: the mean of their gradients is the
        gradient that one process computes, although the short batch is shared unevenly.
        """
        gold, count = inputs.pop("gold"), inputs.pop("count")
        if isinstance(self._loss, RDropLoss):
            # Each example twice in one pass: dropout differs between the two.
            inputs = {name: torch.cat((tensor, tensor)) for name, tensor in inputs.items()}
        loss: Tensor = self._loss(model(**inputs).logits, gold)
        share: Tensor = count / self.accelerator.reduce(count, "mean")
        return loss * share

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score all validation examples and tell the callbacks."""
        own = self._judge.scores()
        scores = dict(zip(own, distributed.agreed(list(own.values())), strict=True))
        self.log({PREFIX + name: score for name, score in scores.items()})
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, scores)
        return scores

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """Not transformers' own: its order comes from a random state that a resumed epoch no longer has."""
        return self._order


def _arguments(config: TrainingConfig, folder: Path, device: torch.device) -> TrainingArguments:
    """The recipe in transformers' words; it prints and sends nothing, and saves when `Keeper` says so."""
    settings = config.train
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size // distributed.count(),
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        # Below 1 it is a share of all steps.
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.precision == "bf16" or (settings.precision == "auto" and half_precision(device) is not None),
        use_cpu=device.type != "cuda",
        dataloader_pin_memory=device.type == "cuda",
        # Processes with one seed would drop the same numbers of different examples.
        seed=(settings.seed + distributed.number()) % 2**32,
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )


@dataclass(frozen=True, slots=True)
class TrainedClassifier:
    """A trained classifier with the weights of its best epoch, and how it came to them."""

    model: RelationClassifier
    """Its weights are rounded as they will be saved: what is judged is what is kept."""
    tokenizer: PreTrainedTokenizerFast
    judge: ClassifierEvaluator
    """Scores the model on the examples that chose the epoch."""
    logbook: TrainingHistory
    precision: str
    """That it was computed in: bf16 or fp32."""


def train_classifier(
    config: TrainingConfig,
    train: Sequence[Example],
    validation: Validation,
    report: Report,
    scratch: Path,
    device: torch.device,
) -> TrainedClassifier:
    """Train a classifier.

    Args:
        config: the recipe.
        train: labelled examples to learn from.
        validation: chooses the best epoch.
        report: told about progress, as `trainer.train` says.
        scratch: a state of the same training in it is gone on from.
        device: where to.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one.
        InvalidConfig: the validation examples cannot give the metric that chooses the epoch.
        InvalidConfig, ModelNotFound, ServiceUnreachable: the backbone cannot be had as asked.
        RelexError: the loss is no number any more.
    """
    logbook = TrainingHistory(config, report)
    gold = gold_labels(train, str(config.data.train))
    validation.check(config.validation.metric)
    set_seed(config.train.seed)
    model, tokenizer = build_classifier(config, train, logbook.add_download)
    network: nn.Module = model  # transformers' own `to` carries no types
    network.to(device)
    encoder = model.encoder(tokenizer)
    judge = ClassifierEvaluator(model, encoder, tokenizer.pad_token_id, validation)
    material = to_training_data(config, train, gold, encoder, tokenizer)
    kept = Scratch(scratch, digest_of(config, train, validation.examples, validation.target))
    precision = run_trainer(config, model, material, judge, logbook, kept)
    network.to(save_dtype(config)).float()
    return TrainedClassifier(model, tokenizer, judge, logbook, precision)


def to_training_data(
    config: TrainingConfig,
    train: Sequence[Example],
    gold: Sequence[str],
    encoder: Encoder,
    tokenizer: PreTrainedTokenizerFast,
) -> TrainingData:
    """The examples as tokens, with their hidden forms if the recipe asks for them.

    Raises:
        InvalidConfig: entities are to be hidden, and the backbone's tokenizer has no mask token.
    """
    encoded = encoder.encode(train)
    if not config.train.entity_mask_prob:
        return TrainingData(encoded, gold, tokenizer.pad_token_id)
    if tokenizer.mask_token is None:
        raise InvalidConfig("train.entity_mask_prob: the backbone's tokenizer has no mask token; set it to 0")
    hidden = encoder.encode_hidden(train)
    return TrainingData(encoded, gold, tokenizer.pad_token_id, hidden)


def save_dtype(config: TrainingConfig) -> torch.dtype:
    """In which a recipe has its weights saved."""
    dtype: torch.dtype = getattr(torch, config.save.dtype)
    return dtype
