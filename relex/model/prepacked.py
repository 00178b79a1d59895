"""An encoder's linear layers as a CPU's matrix library (oneDNN) likes them, for one number of tokens.

torch lays weights out anew in every call; done once, it is a fifth faster in float32. What follows a product, GELU or
the sum with the layer's input, comes with it. And a product over very many inputs is the sum of two: on a core with
AMX two halves of 1,536 inputs take three quarters of the time of 3,072 (docs/speed.md).
The operators are those that torch's own compiler puts in (torch._inductor); torch is pinned.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation

WIDE = 2048
"""Inputs from which on a product is taken in two halves."""


class PrepackedLinear(nn.Module):
    """y = f(x W^T + b) with f the identity or GELU (Hendrycks & Gimpel 2016, with erf)."""

    def __init__(self, weight: Tensor, bias: Tensor | None, tokens: int, *, gelu: bool = False) -> None:
        super().__init__()
        # No buffer: nothing may move or save it, its layout is this machine's alone.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), tokens)  # noqa: SLF001
        self._bias = None if bias is None else bias.detach()
        self._then: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")

    def forward(self, inputs: Tensor) -> Tensor:
        """Shape: [..., in] to [..., out]."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._weight, self._bias, *self._then)  # noqa: SLF001
        return product

    def added_to(self, other: Tensor, inputs: Tensor) -> Tensor:
        """The sum of `other` and the product, f left out. Shapes: [..., out], [..., in] to [..., out]."""
        total: Tensor = torch.ops.mkldnn._linear_pointwise.binary(inputs, other, self._weight, self._bias, "add")  # noqa: SLF001
        return total


class Widening(nn.Module):
    """The first half of a feed-forward part; gives what :class:`AddedAndNormed` takes."""

    def __init__(self, dense: nn.Linear, tokens: int, parts: int) -> None:
        super().__init__()
        pairs = zip(dense.weight.chunk(parts), dense.bias.chunk(parts), strict=True)
        self._parts = [PrepackedLinear(*pair, tokens, gelu=True) for pair in pairs]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Shape: [..., H] to some of [..., F / parts], which side by side are the whole."""
        return [part(inputs) for part in self._parts]


class AddedAndNormed(nn.Module):
    """LayerNorm(r + x W^T + b), the end of both halves of a layer."""

    def __init__(self, dense: nn.Linear, norm: nn.LayerNorm, tokens: int, parts: int) -> None:
        super().__init__()
        weights = dense.weight.chunk(parts, dim=1)
        biases = [dense.bias, *[None] * (parts - 1)]
        pairs = zip(weights, biases, strict=True)
        self._parts = [PrepackedLinear(*pair, tokens) for pair in pairs]
        self._norm = norm

    def forward(self, inputs: Tensor | Iterable[Tensor], residual: Tensor) -> Tensor:
        """Shapes: [..., in], whole or in parts, and [..., H] to [..., H]."""
        total = residual
        for linear, part in zip(self._parts, [inputs] if isinstance(inputs, Tensor) else inputs, strict=True):
            total = linear.added_to(total, part)
        normed: Tensor = self._norm(total)
        return normed


def prepack(network: nn.Module, tokens: int) -> None:
    """Replace every linear layer of an encoder that runs on a CPU; none where torch was built without oneDNN."""
    if torch.backends.mkldnn.is_available():
        _replace_children(network, tokens)


def _replace_children(network: nn.Module, tokens: int) -> None:
    parts = 1
    child: Any  # of the kinds that are asked for below; transformers gives them no common type
    for name, child in list(network.named_children()):
        if isinstance(child, nn.Linear):
            setattr(network, name, PrepackedLinear(child.weight, child.bias, tokens))
        elif _widens(child):
            parts = _parts(child.dense.out_features)
            setattr(network, name, Widening(child.dense, tokens, parts))
        elif _adds_and_norms(child):
            setattr(network, name, AddedAndNormed(child.dense, child.LayerNorm, tokens, parts))
        else:
            _replace_children(child, tokens)


def _widens(module: nn.Module) -> bool:
    """Whether it is the first half of a feed-forward part, as BERT and its kin call it."""
    return isinstance(getattr(module, "intermediate_act_fn", None), GELUActivation)


def _adds_and_norms(module: nn.Module) -> bool:
    """Whether it ends half a layer, as BERT and its kin call it."""
    return {name for name, _ in module.named_children()} == {"dense", "LayerNorm", "dropout"}


def _parts(features: int) -> int:
    return 2 if features >= WIDE and features % 2 == 0 else 1
