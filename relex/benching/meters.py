"""Clock and scale for one pass: waits for the device, and asks the kernel or the GPU how much memory it took."""

import ctypes
import gc
from contextlib import suppress
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
"""What proc(5) wants to hear to begin a new peak."""


def wait_for(device: torch.device) -> None:
    """Until the device has done all that it was given; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Memory:
    """Bytes above what this process held when the object was made: of the GPU on a GPU, otherwise resident."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._forgets = True
        gc.collect()
        with suppress(AttributeError):  # not every C library has it: give back what the one before has freed
            ctypes.CDLL(None).malloc_trim(0)
        self._before = torch.cuda.memory_allocated(device) if device.type == "cuda" else _resident("VmRSS")

    def begin(self) -> None:
        """Watch for the peak from now on."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        self._forgets = False
        with suppress(OSError):  # some sandboxes forbid it: then there is no figure
            CLEAR.write_text(FORGET_PEAK)
            self._forgets = True

    def peak(self) -> int | None:
        """The most since `begin`; None where the kernel does not tell."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) - self._before
        return _resident("VmHWM") - self._before if self._forgets else None


def _resident(name: str) -> int:
    """Bytes that the kernel counts under this name."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
