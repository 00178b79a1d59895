"""What this machine can multiply at best: bare matrix products at the layers' own shapes, measured between passes.

A share of it says how much is left to gain; a data sheet's peak would not, as no product of these sizes reaches it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter

import torch
from torch import Tensor
from torch.nn.functional import linear

from relex.benching.meters import wait_for
from relex.scoring.networks import PACKED_TOKENS

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
