"""The state that a killed pre-training goes on from: one file of tensors and one of numbers, in a folder that is there
whole or not at all.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

TENSORS, NUMBERS = "tensors.safetensors", "numbers.json"


def write_state(folder: Path, network: nn.Module, found: Sequence[Optimizer], numbers: Mapping[str, Any]) -> None:
    """Replace the state in `folder`; a kill leaves the old one or the new one."""
    draft, old = folder.with_suffix(".part"), folder.with_suffix(".old")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    tensors = {f"weights.{name}": tensor for name, tensor in network.state_dict().items()}
    for number, optimizer in enumerate(found):
        for index, entry in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{name}": tensor for name, tensor in entry.items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft / TENSORS)
    (draft / NUMBERS).write_text(json.dumps(numbers), "utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_state(folder: Path, network: nn.Module, found: Sequence[Optimizer]) -> dict[str, Any] | None:
    """Put the state in `folder` into network and optimizers; its numbers, or None where there is no state."""
    old = folder.with_suffix(".old")
    if not folder.exists() and old.exists():
        old.rename(folder)
    if not folder.exists():
        return None
    tensors = load_file(folder / TENSORS)
    network.load_state_dict({name: tensors[f"weights.{name}"] for name in network.state_dict()})
    for number, optimizer in enumerate(found):
        optimizer.load_state_dict(
            {"state": _entries(tensors, f"optimizer.{number}."), "param_groups": optimizer.state_dict()["param_groups"]}
        )
    numbers: dict[str, Any] = json.loads((folder / NUMBERS).read_text("utf-8"))
    return numbers


def _entries(tensors: Mapping[str, Tensor], prefix: str) -> dict[int, dict[str, Tensor]]:
    """One optimizer's entries by the weight's number."""
    entries: dict[int, dict[str, Tensor]] = {}
    for key in (key for key in tensors if key.startswith(prefix)):
        index, _, name = key.removeprefix(prefix).partition(".")
        entries.setdefault(int(index), {})[name] = tensors[key]
    return entries
