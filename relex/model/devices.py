"""Devices and their 16-bit support: the only module that asks torch what this machine has."""

import torch

from relex.errors import InvalidConfig


def resolve_device(name: str) -> torch.device:
    """Resolve the name of a device; `auto` is a GPU if there is one.

    Raises:
        InvalidConfig: this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as exc:
        raise InvalidConfig(f"device {name}: {str(exc).splitlines()[0]}; use auto, cpu or cuda") from exc
    return device


def resolve_gpus(name: str) -> list[int]:
    """Return the GPUs that a training may use: all visible ones, a named one, or none for a CPU.

    Raises:
        InvalidConfig: this machine has no such device.
    """
    device = resolve_device(name)
    if device.type != "cuda":
        return []
    return list(range(torch.cuda.device_count())) if device.index is None else [device.index]


def sees_several_gpus() -> bool:
    """Return whether more than one GPU is visible to this process."""
    return torch.cuda.device_count() > 1


def half_precision(device: torch.device) -> torch.dtype | None:
    """Return bfloat16 if the device supports it in hardware, None if it would only emulate it."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    capabilities = torch.cpu.get_capabilities()
    return torch.bfloat16 if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16") else None


def name_of(dtype: torch.dtype) -> str:
    """Return the name of a type, such as `bfloat16`."""
    return str(dtype).removeprefix("torch.")
