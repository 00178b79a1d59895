"""The ceiling: how fast this machine multiplies at best, and how much multiplying and memory an engine needs.

The ceiling is measured with bare matrix products of the layers' own shapes. The share of it that an engine reaches
says how much is left to gain; a data sheet's peak would not, as no product of these sizes reaches it.
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

MEASURE_SECONDS = 0.2
"""Duration of one measurement of one product: long enough that other load on the machine leaves a gap."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.int8}
PROC_STATUS, PROC_CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Value that resets the peak of resident memory, see proc(5)."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The matrix products of one network's encoder."""

    linears: Mapping[tuple[int, int], int]
    """Number of linear layers, by their (inputs, outputs)."""
    hidden_size: int
    layers: int

    @property
    def parameters(self) -> int:
        """Number of weights in the linear layers; embeddings are looked up, not multiplied."""
        return sum(inputs * outputs * count for (inputs, outputs), count in self.linears.items())

    def flops(self, tokens: int) -> int:
        """Return the operations for a row without padding: 2 P t for the layers, 4 t^2 H for each attention."""
        return 2 * self.parameters * tokens + 4 * tokens**2 * self.hidden_size * self.layers


def count_arithmetic(model: RelationClassifier) -> Arithmetic:
    """Count the linear layers of a network, whatever its backbone."""
    modules = (module for module in model.backbone.modules() if isinstance(module, nn.Linear))
    linears = Counter((module.in_features, module.out_features) for module in modules)
    config = model.backbone.config
    return Arithmetic(linears, config.hidden_size, config.num_hidden_layers)


class Ceiling:
    """The speed of bare matrix products, the best measured so far by precision."""

    def __init__(self, linears: Mapping[tuple[int, int], int], device: torch.device) -> None:
        """Take the number of the network's linear layers, by their (inputs, outputs)."""
        self._linears = linears
        self._device = device
        self._best: dict[str, dict[tuple[int, int], float]] = {}
        self.tokens = PACKED_TOKENS[device.type]
        """Number of rows of the left matrix: the tokens of one pack."""

    def measure(self, precision: str) -> None:
        """Multiply for a moment with all cores; a result slower than an earlier one does not count."""
        best = self._best.setdefault(precision, {})
        for shape in self._linears:
            products = _products(precision, self.tokens, shape, self._device)
            seconds = min(_fastest(product, self._device) for product in products)
            best[shape] = min(seconds, best.get(shape, seconds))

    def flops(self, precision: str) -> float | None:
        """Return the operations per second of all layers one after another; None if not measured."""
        if precision not in self._best:
            return None
        total = sum(2 * self.tokens * inputs * outputs * count for (inputs, outputs), count in self._linears.items())
        return total / sum(self._best[precision][shape] * count for shape, count in self._linears.items())

    def by_precision(self) -> dict[str, float]:
        """Return the operations per second of each precision that was measured."""
        return {precision: flops for precision in self._best if (flops := self.flops(precision)) is not None}


@torch.inference_mode()
def _fastest(product: Callable[[], Tensor], device: torch.device) -> float:
    """Return the seconds of one product, the best of many; the first one only warms up."""
    product()
    best, deadline = float("inf"), perf_counter() + MEASURE_SECONDS
    while perf_counter() < deadline:
        wait_for(device)
        start = perf_counter()
        product()
        wait_for(device)
        best = min(best, perf_counter() - start)
    return best


def _products(precision: str, tokens: int, shape: tuple[int, int], device: torch.device) -> list[Callable[[], Tensor]]:
    """List torch's ways to multiply [tokens, inputs] by [inputs, outputs]; which is fastest differs by machine."""
    (inputs, outputs), dtype = shape, DTYPES[precision]
    if dtype is torch.int8:
        left, right = (
            torch.randint(-127, 128, size, dtype=dtype, device=device) for size in ((tokens, inputs), (inputs, outputs))
        )
        return [partial(torch._int_mm, left, right)]  # noqa: SLF001 - torch has no other product of 8-bit numbers
    left = torch.randn(tokens, inputs, device=device).to(dtype)
    weight = torch.randn(outputs, inputs, device=device).to(dtype)
    products: list[Callable[[], Tensor]] = [partial(linear, left, weight)]
    if device.type == "cpu" and _has_onednn(dtype):
        # oneDNN with a weight layout prepared in advance: on some CPUs twice as fast as torch's own fp32 product.
        layout = torch.ops.mkldnn._reorder_linear_weight(weight, tokens)  # noqa: SLF001
        products.append(partial(torch.ops.mkldnn._linear_pointwise, left, layout, None, "none", [], ""))  # noqa: SLF001
    return products


def _has_onednn(dtype: torch.dtype) -> bool:
    """Return whether oneDNN multiplies numbers of this type here."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype is torch.float32 or bool(
        dtype is torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
    )


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished all its work; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Memory:
    """Bytes above what this process used when the object was made: on a GPU its memory, otherwise resident memory."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._has_peak = True
        gc.collect()
        with suppress(AttributeError):  # not every C library has it: return what an earlier engine has freed
            ctypes.CDLL(None).malloc_trim(0)
        self._before = torch.cuda.memory_allocated(device) if device.type == "cuda" else _resident("VmRSS")

    def begin(self) -> None:
        """Measure the peak from now on."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        self._has_peak = False
        with suppress(OSError):  # some sandboxes forbid it: then there is no figure
            PROC_CLEAR_REFS.write_text(RESET_PEAK)
            self._has_peak = True

    def peak(self) -> int | None:
        """Return the peak since `begin`; None where the kernel does not report it."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) - self._before
        return _resident("VmHWM") - self._before if self._has_peak else None


def _resident(name: str) -> int:
    """Read a figure of the kernel's memory status, in bytes."""
    line = next(line for line in PROC_STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
