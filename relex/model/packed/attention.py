"""Attention within each example of a pack, as an implementation in transformers' attention interface."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from relex.encoding.packing import Pack

ATTENTION = "relex_packed"
"""Name of the attention in transformers' registry."""

SPLITS = None if torch.version.hip else 1
"""Number of splits of the keys: fixed, so that it does not depend on neighbors; AMD's kernel has no such option."""


def _attend(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    pack: Pack,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend within each example; 0 after the last one. Shapes: [1, heads, T, D] to [1, T, heads, D].

    In a layer with local attention a token sees those that are less than `sliding_window` tokens away.
    """
    by_token = [each[0].transpose(0, 1) for each in (query, key, value)]
    result = torch.zeros_like(by_token[0], memory_format=torch.contiguous_format)
    attend = _attend_at_once if query.is_cuda and query.dtype != torch.float32 else _attend_by_segment
    attend(by_token, result, pack, scaling, sliding_window)
    return result.unsqueeze(0), None


def _attend_at_once(
    by_token: list[Tensor], result: Tensor, pack: Pack, scaling: float | None, window: int | None = None
) -> None:
    """Attend with FlashAttention's variable-length kernel, which is 16-bit only. Shapes: [T, heads, D]."""
    query, key, value = (each[: pack.num_tokens] for each in by_token)
    bounds, longest = pack.boundaries, pack.longest
    attended = varlen_attn(
        query,
        key,
        value,
        bounds,
        bounds,
        longest,
        longest,
        scale=scaling,
        window_size=(-1, -1) if window is None else (window - 1, window - 1),
        num_splits=SPLITS,
    )
    result[: pack.num_tokens] = attended if isinstance(attended, Tensor) else attended[0]


def _attend_by_segment(
    by_token: list[Tensor], result: Tensor, pack: Pack, scaling: float | None, window: int | None = None
) -> None:
    """Attend in one call for all examples of a length. Shapes: [T, heads, D]."""
    for segment in pack.segments:
        part = slice(segment.start, segment.start + segment.count * segment.length)
        # Each becomes [count, heads, length, D].
        shape = (segment.count, segment.length)
        query, key, value = (each[part].unflatten(0, shape).transpose(1, 2) for each in by_token)
        mask = None if window is None or segment.length <= window else _band(segment.length, window, query.device)
        attended = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
        result[part] = attended.transpose(1, 2).flatten(0, 1)


@lru_cache(maxsize=512)
def _band(length: int, window: int, device: torch.device) -> Tensor:
    """Return which tokens see each other in local attention. Shape: [length, length], bool."""
    position = torch.arange(length, device=device)
    return (position[:, None] - position).abs() < window


def _no_mask(*_: Any, **__: Any) -> None:
    """Return no mask: `_attend` uses the segments of the pack."""


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, _no_mask)
