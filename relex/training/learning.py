"""One classifier, from a recipe and its examples to the weights that will be saved.

`trainer` keeps one such classifier as a checkpoint, `folds` several that vote. Only the scratch folder is written to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast, set_seed

from relex.encoding.tokens import Encoder
from relex.errors import InvalidConfig
from relex.examples import Example
from relex.model.classifier import RelationClassifier
from relex.training.building import build_classifier
from relex.training.config import TrainingConfig
from relex.training.fitting import fit
from relex.training.judging import Judge
from relex.training.logbook import Logbook, Report
from relex.training.material import Material
from relex.training.scratch import Scratch, digest_of
from relex.training.validation import Validation, gold_labels


@dataclass(frozen=True, slots=True)
class Learned:
    """A trained classifier with the weights of its best epoch, and how it came to them."""

    model: RelationClassifier
    """Its weights are rounded as they will be saved: what is judged is what is kept."""
    tokenizer: PreTrainedTokenizerFast
    judge: Judge
    """Scores the model on the examples that chose the epoch."""
    logbook: Logbook
    precision: str
    """That it was computed in: bf16 or fp32."""


def learn(
    config: TrainingConfig,
    train: Sequence[Example],
    validation: Validation,
    report: Report,
    scratch: Path,
    device: torch.device,
) -> Learned:
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
    logbook = Logbook(config, report)
    gold = gold_labels(train, str(config.data.train))
    validation.check(config.validation.metric)
    set_seed(config.train.seed)
    model, tokenizer = build_classifier(config, train, logbook.add_download)
    network: nn.Module = model  # transformers' own `to` carries no types
    network.to(device)
    encoder = model.encoder(tokenizer)
    judge = Judge(model, encoder, tokenizer.pad_token_id, validation)
    material = as_material(config, train, gold, encoder, tokenizer)
    kept = Scratch(scratch, digest_of(config, train, validation.examples, validation.target))
    precision = fit(config, model, material, judge, logbook, kept)
    network.to(save_dtype(config)).float()
    return Learned(model, tokenizer, judge, logbook, precision)


def as_material(
    config: TrainingConfig,
    train: Sequence[Example],
    gold: Sequence[str],
    encoder: Encoder,
    tokenizer: PreTrainedTokenizerFast,
) -> Material:
    """The examples as tokens, with their hidden forms if the recipe asks for them.

    Raises:
        InvalidConfig: entities are to be hidden, and the backbone's tokenizer has no mask token.
    """
    encoded = encoder.encode(train)
    if not config.train.hide_entities:
        return Material(encoded, gold, tokenizer.pad_token_id)
    if tokenizer.mask_token is None:
        raise InvalidConfig("train.hide_entities: the backbone's tokenizer has no mask token; set it to 0")
    hidden = encoder.encode_hidden(train)
    return Material(encoded, gold, tokenizer.pad_token_id, hidden)


def save_dtype(config: TrainingConfig) -> torch.dtype:
    """In which a recipe has its weights saved."""
    dtype: torch.dtype = getattr(torch, config.save.dtype)
    return dtype
