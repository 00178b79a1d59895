"""The classifier on packs: linear layers on all tokens at once, attention within each example.

transformers' own encoders are used; only their attention is replaced, through transformers' attention interface. The
head computes in float32, whatever the type of the encoder.

On a CPU the weights of the linear layers are prepacked for oneDNN and for one number of tokens, which is a fifth faster
in float32 than torch's packing in every call. GELU and the residual sum are fused into the product. Wide products are
split in two: on a core with AMX two halves of 1,536 inputs take three quarters of the time of 3,072
(docs/measurements/speed.md). The operators are those of torch's own compiler (torch._inductor); torch is pinned.
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
        total: Tensor = torch.ops.mkldnn._linear_pointwise.binary(inputs, other, self._weight, self._bias, "add")  # noqa: SLF001
        return total


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
        else:
            _replace_children(child, tokens)


def _is_feed_forward_in(module: nn.Module) -> bool:
    """Return whether a module is the first half of a feed-forward block, by BERT's names."""
    return isinstance(getattr(module, "intermediate_act_fn", None), GELUActivation)


def _is_add_norm(module: nn.Module) -> bool:
    """Return whether a module is a residual sum with a norm, by BERT's names."""
    return {name for name, _ in module.named_children()} == {"dense", "LayerNorm", "dropout"}


def _parts(features: int) -> int:
    return 2 if features >= WIDE and features % 2 == 0 else 1


SPLITS = None if torch.version.hip else 1
"""Number of splits of the keys: fixed, so that it does not depend on neighbors; AMD's kernel has no such option."""

ATTENTION = "relex_packed"
"""Name of the attention in transformers' registry."""

COUNT_FROM_PADDING = {"bert": False, "electra": False, "roberta": True, "xlm-roberta": True}
"""Encoders that mix tokens in their attention only, and whether their positions count from the id of the padding token
(the position of the first token is then that id plus 1)."""


def can_pack(model: RelationClassifier) -> bool:
    """Return whether examples of this model may be packed."""
    return model.backbone.config.model_type in COUNT_FROM_PADDING


class PackedClassifier:
    """A loaded classifier converted to score packs; the original model cannot be used any more.

    Args:
        model: the model in eval mode, in float32, on its device.
        dtype: type of the encoder's computation.
        total: number of tokens of every pack, for which the weights on a CPU are prepacked.
    """

    def __init__(self, model: RelationClassifier, dtype: torch.dtype, total: int) -> None:
        self._model = model
        self._window = model.relation.max_length
        self._first_position = _first_position(model)
        backbone: nn.Module = model.backbone  # transformers' own `to` has no types
        backbone.to(dtype)
        model.backbone.set_attn_implementation(ATTENTION)
        if model.device.type == "cpu":
            prepack(backbone, total)

    @torch.inference_mode()
    def __call__(self, pack: Pack) -> Tensor:
        """Compute the probabilities of the pack's examples. Shape: [N, labels], float32."""
        segments = {"token_type_ids": pack.token_type_ids} if self._model.has_segments else {}
        hidden = self._model.backbone(
            input_ids=pack.input_ids, position_ids=pack.position_ids + self._first_position, pack=pack, **segments
        ).last_hidden_state[0]
        sets = zip(pack.starts, pack.lengths, pack.entities, pack.markers, strict=True)
        logits = [self._head(hidden, *each) for each in sets]
        return torch.cat(logits)[: len(pack.examples)].softmax(-1)

    def _head(self, hidden: Tensor, starts: Tensor, lengths: Tensor, entities: Tensor, markers: Tensor) -> Tensor:
        """Compute the logits of one set of C examples. Shape: [C, labels].

        Args:
            hidden: last layer of the pack. Shape: [T, H]
            starts: first token of each example in the pack. Shape: [C]
            lengths: number of tokens of each example. Shape: [C]
            entities: as in `Pack`. Shape: [C, 2, 2]
            markers: as in `Pack`. Shape: [C, 2]
        """
        position = torch.arange(self._window, device=hidden.device)
        # Beyond its end an example's last token is repeated: a neighbor's NaN times 0 would still be NaN.
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
    """Attend within each example; 0 after the last one. Shapes: [1, heads, T, D] to [1, T, heads, D]."""
    by_token = [each[0].transpose(0, 1) for each in (query, key, value)]
    result = torch.zeros_like(by_token[0], memory_format=torch.contiguous_format)
    if query.is_cuda and query.dtype != torch.float32:
        _attend_at_once(by_token, result, pack, scaling)
    else:
        _attend_by_segment(by_token, result, pack, scaling)
    return result.unsqueeze(0), None


def _attend_at_once(by_token: list[Tensor], result: Tensor, pack: Pack, scaling: float | None) -> None:
    """Attend with FlashAttention's variable-length kernel, which is 16-bit only. Shapes: [T, heads, D]."""
    query, key, value = (each[: pack.num_tokens] for each in by_token)
    bounds, longest = pack.boundaries, pack.longest
    attended = varlen_attn(query, key, value, bounds, bounds, longest, longest, scale=scaling, num_splits=SPLITS)
    result[: pack.num_tokens] = attended if isinstance(attended, Tensor) else attended[0]


def _attend_by_segment(by_token: list[Tensor], result: Tensor, pack: Pack, scaling: float | None) -> None:
    """Attend in one call for all examples of a length, without masks. Shapes: [T, heads, D]."""
    for segment in pack.segments:
        part = slice(segment.start, segment.start + segment.count * segment.length)
        # Each becomes [count, heads, length, D].
        shape = (segment.count, segment.length)
        query, key, value = (each[part].unflatten(0, shape).transpose(1, 2) for each in by_token)
        attended = scaled_dot_product_attention(query, key, value, scale=scaling)
        result[part] = attended.transpose(1, 2).flatten(0, 1)


def _no_mask(*_: Any, **__: Any) -> None:
    """Return no mask: `_attend` uses the segments of the pack."""


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, _no_mask)
