"""The types in which a checkpoint's weights are saved, and the weights that are read back.

The word embeddings are a third of a small encoder with a large vocabulary. In 8 bits, each token has a scale of its
own: weight = number * scale, with numbers from -127 to 127. The scales are a second tensor, named like the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import PreTrainedModel

SCALE = ".scale"
"""End of the name of a tensor's scales."""
MAX_NUMBER = 127


@dataclass(frozen=True, slots=True)
class SavedTypes:
    """The types of the saved weights; everything but float32 rounds them."""

    dtype: torch.dtype = torch.float32
    """Type of all weights; 16 bits halve the file."""
    int8_embeddings: bool = False
    """Whether the word embeddings are saved in 8 bits instead."""


def to_saved(model: PreTrainedModel, types: SavedTypes) -> dict[str, Tensor]:
    """Return the weights of a model as they are saved, on the CPU."""
    weights = {name: tensor.to("cpu") for name, tensor in model.state_dict().items()}
    saved = {name: tensor.to(types.dtype).contiguous() for name, tensor in weights.items()}
    if types.int8_embeddings:
        table = model.get_input_embeddings().weight
        name = next(name for name, weight in model.named_parameters() if weight is table)
        saved[name], saved[name + SCALE] = _to_int8(weights[name])
    return saved


def _to_int8(table: Tensor) -> tuple[Tensor, Tensor]:
    """Return whole numbers and a scale for each row. Shapes: [rows, H], [rows, 1]."""
    scale = (table.abs().amax(dim=1, keepdim=True) / MAX_NUMBER).clamp_min(torch.finfo(table.dtype).tiny)
    return (table / scale).round().to(torch.int8), scale


def from_saved(saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a model from the tensors of `to_saved`."""
    return {
        name: tensor * saved[name + SCALE] if name + SCALE in saved else tensor
        for name, tensor in saved.items()
        if not (name.endswith(SCALE) and name.removesuffix(SCALE) in saved)
    }


def has_scales(file: Path) -> bool:
    """Return whether a file of weights has embeddings in 8 bits, without reading them."""
    with safe_open(file, "pt") as weights:
        return any(name.endswith(SCALE) for name in weights.keys())  # noqa: SIM118 - not a dictionary


def round_weights(model: PreTrainedModel, types: SavedTypes) -> None:
    """Round the weights of a model to those that its checkpoint will have."""
    model.load_state_dict(from_saved(to_saved(model, types)))
