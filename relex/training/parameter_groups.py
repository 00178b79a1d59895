"""The optimizer's parameter groups: the learning rate and the weight decay of each weight.

The head is new and learns faster than a pre-trained encoder, whose lower layers need the least change. With
`layer_decay` d, a layer learns at d times the rate of the layer above it (Clark et al. 2020, ELECTRA, appendix A;
Howard & Ruder 2018, "discriminative fine-tuning"), and the embeddings at d times the rate of the first layer.
"""

import re
from collections.abc import Collection
from typing import Any

from torch import nn

from relex.errors import InvalidConfig
from relex.model.classifier import RelationClassifier
from relex.training.recipe.sections import TrainSettings

BACKBONE = f"{RelationClassifier.base_model_prefix}."
LAYER = re.compile(r"\.layers?\.(\d+)\.")
"""The number of a layer in the name of its weights, as BERT-like encoders, DeBERTa and ModernBERT have it."""
EMBEDDINGS = "embeddings"
"""Part of the names of all embeddings, DeBERTa's relative positions among them."""


def parameter_groups(model: nn.Module, settings: TrainSettings, decayed: Collection[str]) -> list[dict[str, Any]]:
    """Group the weights by learning rate and weight decay; the first group has `train.learning_rate`.

    Args:
        model: the classifier.
        settings: the section `train` of the recipe.
        decayed: names of the weights with weight decay.

    Raises:
        InvalidConfig: rates are to decay by layer, and the backbone has no numbered layers.
    """
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    layers = 1 + max((number for name in weights if (number := _layer(name)) is not None), default=-1)
    if settings.layer_decay < 1 and not layers:
        raise InvalidConfig("train.layer_decay: the backbone has no layers of its own weights; set it to 1.0")
    # Progress reports and TensorBoard show the rate of the first group.
    groups: dict[tuple[float, float], list[nn.Parameter]] = {
        (settings.learning_rate, settings.weight_decay): [],
        (settings.learning_rate, 0.0): [],
    }
    for name, weight in weights.items():
        key = _rate(name, layers, settings), settings.weight_decay if name in decayed else 0.0
        groups.setdefault(key, []).append(weight)
    return [{"params": members, "lr": rate, "weight_decay": decay} for (rate, decay), members in groups.items()]


def _rate(name: str, layers: int, settings: TrainSettings) -> float:
    if not name.startswith(BACKBONE):
        return settings.head_learning_rate or settings.learning_rate
    number = _layer(name)
    # What is neither in a layer nor an embedding, such as a last norm, follows the last layer.
    below_last = layers if EMBEDDINGS in name else 0 if number is None else layers - 1 - number
    return settings.learning_rate * settings.layer_decay**below_last


def _layer(name: str) -> int | None:
    """Return the number of the layer that a weight of the backbone belongs to."""
    number = LAYER.search(name) if name.startswith(BACKBONE) else None
    return int(number[1]) if number else None
