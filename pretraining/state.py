"""The state that a killed pre-training resumes from: tensors and numbers in a folder that is written atomically."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

TENSORS, NUMBERS = "tensors.safetensors", "numbers.json"


def write_state(folder: Path, network: nn.Module, optimizers: Sequence[Optimizer], numbers: Mapping[str, Any]) -> None:
    """Replace the state in `folder`; a kill leaves the old one or the new one."""
    staging, old = folder.with_suffix(".part"), folder.with_suffix(".old")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    tensors = {f"weights.{name}": tensor for name, tensor in network.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, entry in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{name}": tensor for name, tensor in entry.items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, staging / TENSORS)
    (staging / NUMBERS).write_text(json.dumps(numbers), "utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    staging.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_state(folder: Path, network: nn.Module, optimizers: Sequence[Optimizer]) -> dict[str, Any] | None:
    """Load a state into network and optimizers; return its numbers, or None if there is no state."""
    old = folder.with_suffix(".old")
    if not folder.exists() and old.exists():
        old.rename(folder)
    if not folder.exists():
        return None
    tensors = load_file(folder / TENSORS)
    network.load_state_dict({name: tensors[f"weights.{name}"] for name in network.state_dict()})
    for number, optimizer in enumerate(optimizers):
        optimizer.load_state_dict(
            {"state": _entries(tensors, f"optimizer.{number}."), "param_groups": optimizer.state_dict()["param_groups"]}
        )
    numbers: dict[str, Any] = json.loads((folder / NUMBERS).read_text("utf-8"))
    return numbers


def _entries(tensors: Mapping[str, Tensor], prefix: str) -> dict[int, dict[str, Tensor]]:
    """Return the entries of an optimizer by the number of the weight."""
    entries: dict[int, dict[str, Tensor]] = {}
    for key in (key for key in tensors if key.startswith(prefix)):
        index, _, name = key.removeprefix(prefix).partition(".")
        entries.setdefault(int(index), {})[name] = tensors[key]
    return entries
