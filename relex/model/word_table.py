"""The word table of a checkpoint in 8 bits: a row of integers and one scale for each token.

The embeddings of the words are a third of a small encoder's weights, and each row stands alone, so that a scale of its
own keeps it within a 254th of its largest element. Only the file is smaller: a loaded model has its usual weights.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

LEVELS = 127
"""Largest integer; a row uses both signs."""
INTEGERS, SCALES = ".int8", ".scale"
"""Endings of the two tensors that stand for a table in a file."""


def table_name(model: nn.Module, table: nn.Module) -> str:
    """Return the name of a table's weights in the state of its model."""
    return next(f"{name}.weight" for name, module in model.named_modules() if module is table)


def to_int8(table: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to integers and a scale.

    The scale is a bf16 number, so that its product with an integer is exact: rounding a rounded table changes nothing.
    Shapes: [tokens, H] -> [tokens, H] int8, [tokens] bf16
    """
    scales = (table.float().abs().amax(dim=1) / LEVELS).to(torch.bfloat16)
    steps = scales.float().clamp_min(torch.finfo(torch.float32).tiny)[:, None]
    return (table.float() / steps).round().clamp(-LEVELS, LEVELS).to(torch.int8), scales


def from_int8(integers: Tensor, scales: Tensor) -> Tensor:
    """Return the table that the integers and scales stand for, in float32. Shapes as in `to_int8`."""
    return integers.float() * scales.float()[:, None]


@torch.no_grad()
def round_table(table: nn.Module) -> None:
    """Round a table in place to what its file will hold."""
    weight: Any = table.weight
    weight.copy_(from_int8(*to_int8(weight)))


def pack_table(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return a state in which two tensors stand for the table of this name."""
    integers, scales = to_int8(state[name])
    rest = {each: tensor for each, tensor in state.items() if each != name}
    return rest | {name + INTEGERS: integers, name + SCALES: scales}


def is_packed(state: Mapping[str, Tensor]) -> bool:
    """Return whether a state holds a packed table."""
    return any(name.endswith(INTEGERS) for name in state)


def unpack_tables(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state with every packed table as one tensor again; any other state unchanged."""
    unpacked = {name: tensor for name, tensor in state.items() if not name.endswith((INTEGERS, SCALES))}
    for name in state:
        if name.endswith(INTEGERS):
            table = name.removesuffix(INTEGERS)
            unpacked[table] = from_int8(state[name], state[table + SCALES])
    return unpacked
