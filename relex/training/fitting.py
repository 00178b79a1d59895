"""Training of one classifier: transformers' Trainer with relex's loss, sampler and scores.

`trainer` saves one such classifier as a checkpoint, `folds` several that vote; this module writes only to the scratch
folder. A training that finds a state of its own there resumes from it, with the same losses and the same weights as an
uninterrupted run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tensorboardX import SummaryWriter
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import PreTrainedTokenizerFast, PrinterCallback, Trainer, TrainingArguments, set_seed
from transformers.integrations.integration_utils import TensorBoardCallback

from relex.domain.examples import Example
from relex.encoding.tokens import Encoder
from relex.errors import InvalidConfig
from relex.labels import RELATIONS
from relex.model.checkpoint import WeightFormat
from relex.model.classifier import RelationClassifier
from relex.model.devices import half_precision
from relex.training import distributed
from relex.training.callbacks import PREFIX, CheckpointCallback
from relex.training.data import Collator, EpochOrder
from relex.training.epoch_examples import EntityReplacer, EpochExamples, TrainingData
from relex.training.fast_cpu import fast_training
from relex.training.history import Report, TrainingHistory
from relex.training.losses import FocalLoss, RDropLoss, loss_function
from relex.training.model_factory import build_classifier
from relex.training.parameter_groups import parameter_groups
from relex.training.recipe.config import TrainingConfig
from relex.training.recipe.sections import TrainSettings
from relex.training.validation import ClassifierEvaluator, Validation, gold_labels
from relex.training.workspace import Scratch, digest_of


def run_trainer(
    config: TrainingConfig,
    model: RelationClassifier,
    data: TrainingData,
    evaluator: ClassifierEvaluator,
    history: TrainingHistory,
    scratch: Scratch,
) -> str:
    """Train all epochs and leave the best one's weights in the model.

    Args:
        config: the recipe.
        model: the untrained classifier.
        data: the training examples.
        evaluator: scores the same model.
        history: empty; restored from the newest state in `scratch` if there is one.
        scratch: holds the states.

    Returns:
        The precision of the computation: bf16 or fp32.
    """
    state = scratch.newest()
    if state:
        history.restore(state[1])
    arguments = _arguments(config, scratch.folder, model.device)
    examples = EpochExamples(data, config.train)
    order = EpochOrder(examples, config.train.batch_size, config.train.seed, fill=distributed.world_size() > 1)
    trainer = _RelationTrainer(
        model=model,
        args=arguments,
        train_dataset=examples,
        data_collator=Collator(data.pad_token_id, config.input.max_length),
        callbacks=[CheckpointCallback(history, scratch, order, config.train.save_minutes)],
        loss=loss_function(config.loss, RELATIONS),
        order=order,
        evaluator=evaluator,
        settings=config.train,
    )
    trainer.remove_callback(PrinterCallback)
    if not history.finished:
        # Steps that the killed process logged after its last state are replaced, not logged twice.
        if distributed.is_first():
            # File names have a resolution of seconds, and a run resumed in the same second must not replace files.
            writer = SummaryWriter(
                str(scratch.tensorboard), purge_step=history.step + 1, filename_suffix=f".{history.step}"
            )
            trainer.add_callback(TensorBoardCallback(writer))
        with fast_training(model, bf16=arguments.bf16):
            trainer.train(resume_from_checkpoint=str(state[0]) if state else None)
    distributed.wait_for_all()
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    model.load_state_dict(load_file(scratch.best_weights(history.best_epoch)))
    return "bf16" if arguments.bf16 else "fp32"


class _RelationTrainer(Trainer):
    """transformers' Trainer with relex's loss, sampler, learning rates and scores."""

    def __init__(
        self,
        *,
        loss: FocalLoss | RDropLoss,
        order: EpochOrder,
        evaluator: ClassifierEvaluator,
        settings: TrainSettings,
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        self._settings = settings
        self._loss = loss.to(self.args.device)
        self._order = order
        self._evaluator = evaluator

    def create_optimizer(self, model: Any = None) -> Optimizer:
        """Create the optimizer of transformers, with a learning rate for each part of the classifier."""
        if self.optimizer is None:
            network: Any = self.model  # transformers allows None until the training begins
            groups = parameter_groups(network, self._settings, self.get_decay_parameter_names(network))
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, network)
            self.optimizer = optimizer_class(groups, **options)
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Compute the mean loss of a batch; transformers divides it by the number of batches in a step.

        With several processes, every example keeps the same weight: the mean of their gradients equals the gradient of
        one process, although an incomplete batch is shared unevenly.
        """
        gold, count = inputs.pop("gold"), inputs.pop("count")
        if isinstance(self._loss, RDropLoss):
            # Each example goes through twice in one pass, with different dropout.
            inputs = {name: torch.cat((tensor, tensor)) for name, tensor in inputs.items()}
        loss: Tensor = self._loss(model(**inputs).logits, gold)
        share: Tensor = count / self.accelerator.reduce(count, "mean")
        return loss * share

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score all validation examples and notify the callbacks."""
        own = self._evaluator.scores()
        scores = dict(zip(own, distributed.broadcast(list(own.values())), strict=True))
        self.log({PREFIX + name: score for name, score in scores.items()})
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, scores)
        return scores

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """Return the sampler; transformers' own depends on a random state that a resumed epoch lacks."""
        return self._order


def _arguments(config: TrainingConfig, folder: Path, device: torch.device) -> TrainingArguments:
    """Translate the recipe; `CheckpointCallback` decides when to log and when to save."""
    settings = config.train
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size // distributed.world_size(),
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        # A value below 1 is a share of all steps.
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.precision == "bf16" or (settings.precision == "auto" and half_precision(device) is not None),
        use_cpu=device.type != "cuda",
        dataloader_pin_memory=device.type == "cuda",
        # With one seed for all, every process would drop the same positions of its own examples.
        seed=(settings.seed + distributed.rank()) % 2**32,
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )


@dataclass(frozen=True, slots=True)
class TrainedClassifier:
    """A trained classifier with the weights of its best epoch, and its training history."""

    model: RelationClassifier
    """Its weights are rounded as they will be saved, so that the scores are those of the checkpoint."""
    tokenizer: PreTrainedTokenizerFast
    evaluator: ClassifierEvaluator
    """Scores the model on the examples that chose the best epoch."""
    history: TrainingHistory
    precision: str
    """Precision of the training: bf16 or fp32."""


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
        train: labeled training examples.
        validation: chooses the best epoch.
        report: receives the progress; see `trainer.train`.
        scratch: folder of the states; a state of the same training is resumed.
        device: device to train on.

    Raises:
        InvalidCsv: there are no examples, or some have no label or an unknown one.
        InvalidConfig: the validation examples cannot give the metric that chooses the epoch.
        InvalidConfig, ModelNotFound, ServiceUnreachable: the backbone cannot be fetched or read.
        RelexError: the loss is not finite.
    """
    history = TrainingHistory(config, report)
    gold = gold_labels(train, str(config.data.train))
    validation.check(config.validation.metric)
    set_seed(config.train.seed)
    model, tokenizer = build_classifier(config, train, history.add_download)
    network: nn.Module = model  # transformers' own `to` has no types
    network.to(device)
    encoder = model.encoder(tokenizer)
    evaluator = ClassifierEvaluator(model, encoder, tokenizer.pad_token_id, validation)
    data = to_training_data(config, train, gold, encoder, tokenizer)
    states = Scratch(scratch, digest_of(config, train, validation.examples, validation.target))
    precision = run_trainer(config, model, data, evaluator, history, states)
    weight_format(config).round(model)
    return TrainedClassifier(model, tokenizer, evaluator, history, precision)


def to_training_data(
    config: TrainingConfig,
    train: Sequence[Example],
    gold: Sequence[str],
    encoder: Encoder,
    tokenizer: PreTrainedTokenizerFast,
) -> TrainingData:
    """Encode the training examples, and their masked forms if the recipe asks for them.

    Raises:
        InvalidConfig: entities are to be masked, and the backbone's tokenizer has no mask token.
    """
    settings = config.train
    if settings.entity_mask_prob and tokenizer.mask_token is None:
        raise InvalidConfig("train.entity_mask_prob: the backbone's tokenizer has no mask token; set it to 0")
    return TrainingData(
        encoder.encode(train),
        gold,
        tokenizer.pad_token_id,
        encoder.encode_masked(train) if settings.entity_mask_prob else (),
        EntityReplacer(train, encoder, settings.seed) if settings.entity_replace_prob else None,
    )


def weight_format(config: TrainingConfig) -> WeightFormat:
    """Return how a recipe saves its weights."""
    return WeightFormat(getattr(torch, config.save.dtype), int8_words=config.save.word_table == "int8")
