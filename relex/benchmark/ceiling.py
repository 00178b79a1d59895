"""How much multiplying a row costs, so that speed can be told as a share of what the machine could do.

Clock and scale for one pass: waits for the device, and asks the kernel or the GPU how much memory it took.

What this machine can multiply at best: bare matrix products at the layers' own shapes, measured between passes.

A share of it says how much is left to gain; a data sheet's peak would not, as no product of these sizes reaches it.
"""

import ctypes
import gc
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from relex.inference.networks import PACKED_TOKENS
from relex.model.classifier import RelationClassifier


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The products of one network's encoder."""

    linears: Mapping[tuple[int, int], int]
    """(inputs, outputs) of its linear layers, and how many there are of each."""
    hidden_size: int
    layers: int

    @property
    def parameters(self) -> int:
        """Weights of the linear layers: what each token is multiplied with. Embeddings are only looked up."""
        return sum(inputs * outputs * count for (inputs, outputs), count in self.linears.items())

    def flops(self, tokens: int) -> int:
        """Of one row with so many tokens, padding not counted: 2 P t for the layers, 4 t^2 H each for attention."""
        return 2 * self.parameters * tokens + 4 * tokens**2 * self.hidden_size * self.layers


def arithmetic_of(model: RelationClassifier) -> Arithmetic:
    """Counted in the network itself, whatever its backbone."""
    found = (module for module in model.backbone.modules() if isinstance(module, nn.Linear))
    linears = Counter((linear.in_features, linear.out_features) for linear in found)
    config = model.backbone.config
    return Arithmetic(linears, config.hidden_size, config.num_hidden_layers)


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


SECONDS = 0.2
"""For each shape and way, every time it is measured: long enough that a neighbour's work leaves a gap."""
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.int8}


class Ceiling:
    """The best that was seen so far, by precision."""

    def __init__(self, linears: Mapping[tuple[int, int], int], device: torch.device) -> None:
        """`linears`: (inputs, outputs) of the network's layers, and how many there are of each."""
        self._linears = linears
        self._device = device
        self._best: dict[str, dict[tuple[int, int], float]] = {}
        self.tokens = PACKED_TOKENS[device.type]
        """Rows of the left matrix: what one pack brings."""

    def measure(self, precision: str) -> None:
        """Multiply for a moment with all cores; what is slower than an earlier time does not count."""
        best = self._best.setdefault(precision, {})
        for shape in self._linears:
            seconds = min(_fastest(way, self._device) for way in _ways(precision, self.tokens, shape, self._device))
            best[shape] = min(seconds, best.get(shape, seconds))

    def flops(self, precision: str) -> float | None:
        """Floating-point (or integer) operations a second of all layers one after another; None if not measured."""
        if precision not in self._best:
            return None
        done = sum(2 * self.tokens * inputs * outputs * count for (inputs, outputs), count in self._linears.items())
        return done / sum(self._best[precision][shape] * count for shape, count in self._linears.items())

    def by_precision(self) -> dict[str, float]:
        """All that was measured."""
        return {precision: flops for precision in self._best if (flops := self.flops(precision)) is not None}


@torch.inference_mode()
def _fastest(way: Callable[[], Tensor], device: torch.device) -> float:
    """Seconds of one product, the best of many; the first one only warms up."""
    way()
    best, ending = float("inf"), perf_counter() + SECONDS
    while perf_counter() < ending:
        wait_for(device)
        started = perf_counter()
        way()
        wait_for(device)
        best = min(best, perf_counter() - started)
    return best


def _ways(precision: str, tokens: int, shape: tuple[int, int], device: torch.device) -> list[Callable[[], Tensor]]:
    """The products [tokens, inputs] x [inputs, outputs] that torch offers: which is fastest differs by machine."""
    (inputs, outputs), kind = shape, TYPES[precision]
    if kind is torch.int8:
        left, right = (
            torch.randint(-127, 128, size, dtype=kind, device=device) for size in ((tokens, inputs), (inputs, outputs))
        )
        return [partial(torch._int_mm, left, right)]  # noqa: SLF001 - torch has no other product of 8-bit numbers
    left = torch.randn(tokens, inputs, device=device).to(kind)
    weight = torch.randn(outputs, inputs, device=device).to(kind)
    ways: list[Callable[[], Tensor]] = [partial(linear, left, weight)]
    if device.type == "cpu" and _lays_out(kind):
        # oneDNN with the weights laid out beforehand: on some CPUs twice as fast as the fp32 product that torch takes.
        laid_out = torch.ops.mkldnn._reorder_linear_weight(weight, tokens)  # noqa: SLF001
        ways.append(partial(torch.ops.mkldnn._linear_pointwise, left, laid_out, None, "none", [], ""))  # noqa: SLF001
    return ways


def _lays_out(kind: torch.dtype) -> bool:
    """Whether oneDNN multiplies such numbers here."""
    if not torch.backends.mkldnn.is_available():
        return False
    return kind is torch.float32 or bool(
        kind is torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
    )
