"""An encoder's linear layers as a CPU's matrix library (oneDNN) likes them, for one number of tokens.

torch lays weights out anew in every call; done once, it is a fifth faster in float32. What follows a product, GELU or
the sum with the layer's input, comes with it. And a product over very many inputs is the sum of two: on a core with
AMX two halves of 1,536 inputs take three quarters of the time of 3,072 (docs/measurements/speed.md).
The operators are those that torch's own compiler puts in (torch._inductor); torch is pinned.

The network over a pack: linear layers on all its tokens at once, attention among the tokens of each example.

transformers' own encoders do the work; only their attention is replaced, through the door that they keep for that.
The head computes in float32 whatever the encoder does.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.activations import GELUActivation

from relex.encoding.packing import Pack
from relex.model.classifier import RelationClassifier

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


class FeedForwardIn(nn.Module):
    """The first half of a feed-forward part; gives what :class:`AddedAndNormed` takes."""

    def __init__(self, dense: nn.Linear, tokens: int, parts: int) -> None:
        super().__init__()
        pairs = zip(dense.weight.chunk(parts), dense.bias.chunk(parts), strict=True)
        self._parts = [PrepackedLinear(*pair, tokens, gelu=True) for pair in pairs]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Shape: [..., H] to some of [..., F / parts], which side by side are the whole."""
        return [part(inputs) for part in self._parts]


class AddNorm(nn.Module):
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
            setattr(network, name, FeedForwardIn(child.dense, tokens, parts))
        elif _adds_and_norms(child):
            setattr(network, name, AddNorm(child.dense, child.LayerNorm, tokens, parts))
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


SPLITS = None if torch.version.hip else 1
"""How keys are shared out must not depend on the neighbours; AMD's kernel cannot be asked."""

ATTENTION = "relex_packed"
"""Our attention's name among those of transformers."""

COUNT_FROM_PADDING = {"bert": False, "electra": False, "roberta": True, "xlm-roberta": True}
"""The encoders that are known to mix tokens in their attention alone; whether their positions count from the padding's
id (the first token's position is then that id plus 1)."""


def can_pack(model: RelationClassifier) -> bool:
    """Whether examples of this model may lie end to end."""
    return model.backbone.config.model_type in COUNT_FROM_PADDING


class PackedClassifier:
    """A classifier that was loaded for scoring, turned into one that takes packs; the original is used up.

    Args:
        model: in eval mode, in float32, on its device.
        dtype: in which the encoder computes.
        total: tokens of every pack, for which a CPU's matrices are laid out.
    """

    def __init__(self, model: RelationClassifier, dtype: torch.dtype, total: int) -> None:
        self._model = model
        self._window = model.relation.max_length
        self._first_position = _first_position(model)
        backbone: nn.Module = model.backbone  # transformers' own `to` carries no types
        backbone.to(dtype)
        model.backbone.set_attn_implementation(ATTENTION)
        if model.device.type == "cpu":
            prepack(backbone, total)

    @torch.inference_mode()
    def __call__(self, pack: Pack) -> Tensor:
        """The probabilities of the pack's examples. Shape: [N, labels], float32."""
        segments = {"token_type_ids": pack.token_type_ids} if self._model.knows_segments else {}
        hidden = self._model.backbone(
            input_ids=pack.input_ids, position_ids=pack.position_ids + self._first_position, pack=pack, **segments
        ).last_hidden_state[0]
        sets = zip(pack.starts, pack.lengths, pack.entities, pack.markers, strict=True)
        logits = [self._head(hidden, *each) for each in sets]
        return torch.cat(logits)[: len(pack.examples)].softmax(-1)

    def _head(self, hidden: Tensor, starts: Tensor, lengths: Tensor, entities: Tensor, markers: Tensor) -> Tensor:
        """The logits of one set of C examples. Shape: [C, labels].

        Args:
            hidden: the pack's last layer. Shape: [T, H]
            starts: of the examples in the pack. Shape: [C]
            lengths: their tokens. Shape: [C]
            entities: as in `Pack`. Shape: [C, 2, 2]
            markers: as in `Pack`. Shape: [C, 2]
        """
        position = torch.arange(self._window, device=hidden.device)
        # Behind its end an example's last token is repeated: a neighbour's broken number times 0 would be broken too.
        own = starts[:, None] + torch.minimum(position, lengths[:, None] - 1)
        masks = (position >= entities[..., :1]) & (position < entities[..., 1:])
        return self._model.head(hidden[own].float(), masks, markers)


def _first_position(model: RelationClassifier) -> int:
    config = model.backbone.config
    return config.pad_token_id + 1 if COUNT_FROM_PADDING[config.model_type] else 0


def _attend(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    pack: Pack,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention inside each example, 0 behind the last one. Shapes: [1, heads, T, D] to [1, T, heads, D]."""
    by_token = [each[0].transpose(0, 1) for each in (query, key, value)]
    result = torch.zeros_like(by_token[0], memory_format=torch.contiguous_format)
    if query.is_cuda and query.dtype != torch.float32:
        _attend_at_once(by_token, result, pack, scaling)
    else:
        _attend_by_stretch(by_token, result, pack, scaling)
    return result.unsqueeze(0), None


def _attend_at_once(by_token: list[Tensor], result: Tensor, pack: Pack, scaling: float | None) -> None:
    """FlashAttention's kernel for sequences of any lengths; it knows 16 bit only. Shapes: [T, heads, D]."""
    query, key, value = (each[: pack.end] for each in by_token)
    bounds, longest = pack.boundaries, pack.longest
    found = varlen_attn(query, key, value, bounds, bounds, longest, longest, scale=scaling, num_splits=SPLITS)
    result[: pack.end] = found if isinstance(found, Tensor) else found[0]


def _attend_by_stretch(by_token: list[Tensor], result: Tensor, pack: Pack, scaling: float | None) -> None:
    """One call for all examples of a length: no masks, nothing computed in vain. Shapes: [T, heads, D]."""
    for stretch in pack.stretches:
        part = slice(stretch.start, stretch.start + stretch.count * stretch.length)
        # Each becomes [count, heads, length, D].
        shape = (stretch.count, stretch.length)
        query, key, value = (each[part].unflatten(0, shape).transpose(1, 2) for each in by_token)
        found = scaled_dot_product_attention(query, key, value, scale=scaling)
        result[part] = found.transpose(1, 2).flatten(0, 1)


def _no_mask(*_: Any, **__: Any) -> None:
    """`_attend` looks at the pack's stretches."""


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, _no_mask)
