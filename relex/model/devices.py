"""Which device a setting means: the one place that asks torch what this machine has."""

import torch

from relex.errors import InvalidConfig


def device_named(name: str) -> torch.device:
    """The device of a name; `auto` is a GPU if there is one.

    Raises:
        InvalidConfig: this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as fault:
        raise InvalidConfig(f"device {name}: {str(fault).splitlines()[0]}; use auto, cpu or cuda") from fault
    return device


def gpus_named(name: str) -> list[int]:
    """The GPUs that a training may use: all that this process sees, one that is named, or none for a CPU.

    Raises:
        InvalidConfig: this machine has no such device.
    """
    device = device_named(name)
    if device.type != "cuda":
        return []
    return list(range(torch.cuda.device_count())) if device.index is None else [device.index]


def sees_several_gpus() -> bool:
    """Whether a training in this process would have a choice."""
    return torch.cuda.device_count() > 1
