"""Linear layers whose weights lie as a CPU's matrix library (oneDNN) wants them, for one number of tokens.

torch lays weights out anew in every call; done once, it is a fifth faster in float32, and GELU comes with the product.
The operators are those that torch's own compiler puts in (torch._inductor); torch is pinned.
"""

import torch
from torch import Tensor, nn
from transformers.activations import GELUActivation

ACTIVATION = "intermediate_act_fn"


class PrepackedLinear(nn.Module):
    """y = f(x W^T + b) with f the identity or GELU (Hendrycks & Gimpel 2016, with erf)."""

    def __init__(self, linear: nn.Linear, tokens: int) -> None:
        super().__init__()
        # No buffer: nothing may move or save it, its layout is this machine's alone.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), tokens)  # noqa: SLF001
        self._bias = None if linear.bias is None else linear.bias.detach()
        self._then: tuple[str, list[float], str] = ("none", [], "")

    def then_gelu(self) -> None:
        """Apply GELU to every output."""
        self._then = ("gelu", [], "none")

    def forward(self, inputs: Tensor) -> Tensor:
        """Shape: [..., in] to [..., out]."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._weight, self._bias, *self._then)  # noqa: SLF001
        return product


def prepack(network: nn.Module, tokens: int) -> None:
    """Replace every linear layer of an encoder that runs on a CPU; none where torch was built without oneDNN."""
    if not torch.backends.mkldnn.is_available():
        return
    for name, child in list(network.named_children()):
        if isinstance(child, nn.Linear):
            setattr(network, name, PrepackedLinear(child, tokens))
        else:
            prepack(child, tokens)
    widening = getattr(network, "dense", None)
    # As the feed-forward parts of BERT and its kin call the two.
    if isinstance(widening, PrepackedLinear) and isinstance(getattr(network, ACTIVATION, None), GELUActivation):
        widening.then_gelu()
        setattr(network, ACTIVATION, nn.Identity())
