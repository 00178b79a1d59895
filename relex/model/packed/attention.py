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
    """Attend in one call for all examples of a segment. Shapes: [T, heads, D].

    Every example has a mask and the length of its segment, also where it needs neither: its bits must not depend on
    whether its neighbors are shorter.
    """
    for segment in pack.segments:
        count, padded = len(segment.lengths), segment.padded_length
        tokens, own, real = _padding(segment.lengths, padded, result.device)
        mask = real[:, None, None]
        if window is not None and padded > window:
            mask = mask & _band(padded, window, result.device)
        part = slice(segment.start, segment.start + segment.num_tokens)
        # Each becomes [count, heads, padded length, D].
        query, key, value = (
            each[part].index_select(0, tokens).unflatten(0, (count, padded)).transpose(1, 2) for each in by_token
        )
        attended = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
        result[part] = attended.transpose(1, 2).flatten(0, 1).index_select(0, own)


@lru_cache(maxsize=1024)
def _padding(lengths: tuple[int, ...], padded: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return how examples are padded, for all layers of an encoder.

    Beyond its end an example's last token is repeated: a neighbor's NaN times 0 would still be NaN.

    Returns:
        The token at each place of the padded examples, counted from the first example. Shape: [count * padded], int64
        The place of each token. Shape: [sum of lengths], int64
        Whether a place holds a token of the example's own. Shape: [count, padded], bool
    """
    length = torch.tensor(lengths, device=device)[:, None]
    position = torch.arange(padded, device=device)
    tokens = length.cumsum(0) - length + torch.minimum(position, length - 1)
    real = position < length
    return tokens.flatten(), real.flatten().nonzero()[:, 0], real


@lru_cache(maxsize=64)
def _band(length: int, window: int, device: torch.device) -> Tensor:
    """Return which tokens see each other in local attention. Shape: [length, length], bool."""
    position = torch.arange(length, device=device)
    return (position[:, None] - position).abs() < window


def _no_mask(*_: Any, **__: Any) -> None:
    """Return no mask: `_attend` uses the segments of the pack."""


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, _no_mask)
