"""Prepacked linear layers for a CPU.

The weights are prepacked for oneDNN and for one number of tokens, which is a fifth faster in float32 than torch's
packing in every call. GELU, the factor of a gated block and the residual sum are fused into the product. Wide products
are split in two: on a core with AMX two halves of 1,536 inputs take three quarters of the time of 3,072
(docs/measurements/speed.md). The operators are those of torch's own compiler (torch._inductor); torch is pinned.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation

WIDE = 2048
"""Number of inputs from which a product is split into two halves."""


class PrepackedLinear(nn.Module):
    """A prepacked linear layer: f(x W^T + b), f the identity or GELU with erf (Hendrycks & Gimpel 2016)."""

    def __init__(self, weight: Tensor, bias: Tensor | None, tokens: int, *, gelu: bool = False) -> None:
        super().__init__()
        # Not a buffer: its layout is specific to this machine, so it must not be moved or saved.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), tokens)  # noqa: SLF001
        self._bias = None if bias is None else bias.detach()
        self._then: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute the layer. Shape: [..., in] to [..., out]."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._weight, self._bias, *self._then)  # noqa: SLF001
        return product

    def added_to(self, other: Tensor, inputs: Tensor) -> Tensor:
        """Add the product, without f, to `other`. Shapes: [..., out], [..., in] to [..., out]."""
        return self._combined(other, inputs, "add")

    def times(self, other: Tensor, inputs: Tensor) -> Tensor:
        """Multiply `other` by the product, without f. Shapes: [..., out], [..., in] to [..., out]."""
        return self._combined(other, inputs, "mul")

    def _combined(self, other: Tensor, inputs: Tensor, operation: str) -> Tensor:
        result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(inputs, other, self._weight, self._bias, operation)  # noqa: SLF001
        return result


class FeedForwardIn(nn.Module):
    """The first half of a feed-forward block; its output is the input of :class:`AddNorm`."""

    def __init__(self, dense: nn.Linear, tokens: int, parts: int) -> None:
        super().__init__()
        pairs = zip(dense.weight.chunk(parts), dense.bias.chunk(parts), strict=True)
        self._parts = [PrepackedLinear(*pair, tokens, gelu=True) for pair in pairs]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Compute the parts of the hidden layer. Shape: [..., H] to `parts` times [..., F / parts]."""
        return [part(inputs) for part in self._parts]


class AddNorm(nn.Module):
    """The residual sum and its norm, LayerNorm(r + x W^T + b), after attention and feed-forward block."""

    def __init__(self, dense: nn.Linear, norm: nn.LayerNorm, tokens: int, parts: int) -> None:
        super().__init__()
        weights = dense.weight.chunk(parts, dim=1)
        biases = [dense.bias, *[None] * (parts - 1)]
        pairs = zip(weights, biases, strict=True)
        self._parts = [PrepackedLinear(*pair, tokens) for pair in pairs]
        self._norm = norm

    def forward(self, inputs: Tensor | Iterable[Tensor], residual: Tensor) -> Tensor:
        """Compute the norm of the sum. Shapes: [..., in], whole or in parts, and [..., H] to [..., H]."""
        total = residual
        for linear, part in zip(self._parts, [inputs] if isinstance(inputs, Tensor) else inputs, strict=True):
            total = linear.added_to(total, part)
        normed: Tensor = self._norm(total)
        return normed


class GatedFeedForward(nn.Module):
    """A feed-forward block of ModernBERT, W_o (GELU(W_i x) * W_f x): GeGLU (Shazeer 2020)."""

    def __init__(self, both: nn.Linear, out: nn.Linear, tokens: int) -> None:
        super().__init__()
        weights = both.weight.chunk(2)
        biases = [None, None] if both.bias is None else both.bias.chunk(2)
        self._in = PrepackedLinear(weights[0], biases[0], tokens, gelu=True)
        self._factor = PrepackedLinear(weights[1], biases[1], tokens)
        self._out = PrepackedLinear(out.weight, out.bias, tokens)

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute the block. Shape: [..., H] to [..., H]."""
        outputs: Tensor = self._out(self._factor.times(self._in(inputs), inputs))
        return outputs


def prepack(network: nn.Module, tokens: int) -> None:
    """Replace every linear layer of an encoder on a CPU, unless torch was built without oneDNN."""
    if torch.backends.mkldnn.is_available():
        _replace_children(network, tokens)


def _replace_children(network: nn.Module, tokens: int) -> None:
    parts = 1
    child: Any  # transformers has no common type for the modules below
    for name, child in list(network.named_children()):
        if isinstance(child, nn.Linear):
            setattr(network, name, PrepackedLinear(child.weight, child.bias, tokens))
        elif _is_feed_forward_in(child):
            parts = _parts(child.dense.out_features)
            setattr(network, name, FeedForwardIn(child.dense, tokens, parts))
        elif _is_add_norm(child):
            setattr(network, name, AddNorm(child.dense, child.LayerNorm, tokens, parts))
        elif _is_gated_feed_forward(child):
            setattr(network, name, GatedFeedForward(child.Wi, child.Wo, tokens))
        else:
            _replace_children(child, tokens)


def _is_feed_forward_in(module: nn.Module) -> bool:
    """Return whether a module is the first half of a feed-forward block, by BERT's names."""
    return isinstance(getattr(module, "intermediate_act_fn", None), GELUActivation)


def _is_add_norm(module: nn.Module) -> bool:
    """Return whether a module is a residual sum with a norm, by BERT's names."""
    return {name for name, _ in module.named_children()} == {"dense", "LayerNorm", "dropout"}


def _is_gated_feed_forward(module: nn.Module) -> bool:
    """Return whether a module is a gated feed-forward block with GELU, by ModernBERT's names."""
    return hasattr(module, "Wi") and isinstance(getattr(module, "act", None), GELUActivation)


def _parts(features: int) -> int:
    return 2 if features >= WIDE and features % 2 == 0 else 1
