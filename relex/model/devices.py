"""Which device a setting means: the one place that asks torch what this machine has.

In which numbers a device computes fastest: the one place that asks torch for its 16-bit units.
"""

import torch

from relex.errors import InvalidConfig


def resolve_device(name: str) -> torch.device:
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


def resolve_gpus(name: str) -> list[int]:
    """The GPUs that a training may use: all that this process sees, one that is named, or none for a CPU.

    Raises:
        InvalidConfig: this machine has no such device.
    """
    device = resolve_device(name)
    if device.type != "cuda":
        return []
    return list(range(torch.cuda.device_count())) if device.index is None else [device.index]


def sees_several_gpus() -> bool:
    """Whether a training in this process would have a choice."""
    return torch.cuda.device_count() > 1


def half_precision(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the device multiplies it in hardware; None where it would only imitate it, slowly."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("amx_bf16") or able.get("avx512_bf16") else None


def name_of(dtype: torch.dtype) -> str:
    """Such as `bfloat16`."""
    return str(dtype).removeprefix("torch.")
