"""In which numbers a device computes fastest: the one place that asks torch for its 16-bit units."""

import torch


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
