"""Faster bf16 training on a CPU: transformers' network with the same weights and cheaper operations.

Under autocast an encoder on a CPU spends half its time beside its matrix products: on dropout's random numbers, on an
attention kernel that has no fast backward, and on a float32 residual stream that every layer casts. While a training
runs, this module replaces these operations where it knows the encoder, and only the dropout elsewhere. The weights stay
where and what they are (float32, under their own names), so that optimizer, checkpoints and resuming do not change.
`benchmarks/training_speed.py` measures the effect.
"""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from relex.model.classifier import RelationClassifier
from relex.training.allocator import keep_freed_memory

BERT_LIKE = frozenset({"bert", "electra", "roberta", "xlm-roberta"})
"""Encoders with the attention of BERT: query, key and value of the same tokens, and no positions inside."""
RANDOM_BYTES = 8
"""Number of random bytes in one int64."""
LEVELS = 256
"""Number of values of a random byte: a dropout probability is rounded to a multiple of 1 / 256."""


@contextmanager
def fast_training(model: RelationClassifier, *, bf16: bool) -> Iterator[None]:
    """Make training on a CPU faster until the block ends; on a GPU nothing changes.

    Args:
        model: the classifier, on its device.
        bf16: whether it runs under autocast.
    """
    with ExitStack() as stack:
        if model.device.type == "cpu":
            stack.enter_context(keep_freed_memory())
            if bf16:
                _replace_slow_operations(model, stack)
        yield


def _replace_slow_operations(model: RelationClassifier, stack: ExitStack) -> None:
    for module in model.modules():
        if type(module) is nn.Dropout:
            stack.enter_context(_forward_of(module, _drop))
    if _is_bert_like(model):
        embeddings: Any = model.backbone.embeddings
        stack.callback(embeddings.register_forward_hook(_cast_to_autocast).remove)
        for module in model.backbone.modules():
            if _is_self_attention(module):
                stack.enter_context(_forward_of(module, _attend))


@contextmanager
def _forward_of(module: nn.Module, forward: Any) -> Iterator[None]:
    """Give a module another forward function, which gets the module as its first argument."""
    module.forward = partial(forward, module)
    try:
        yield
    finally:
        del module.forward  # the one of its class is visible again


def _is_bert_like(model: RelationClassifier) -> bool:
    config = model.backbone.config
    # `_attend` expects the boolean mask that transformers makes for its sdpa attention.
    return config.model_type in BERT_LIKE and not config.is_decoder and config._attn_implementation == "sdpa"  # noqa: SLF001


def _is_self_attention(module: nn.Module) -> bool:
    return all(isinstance(getattr(module, name, None), nn.Linear) for name in ("query", "key", "value"))


def _cast_to_autocast(_module: nn.Module, _inputs: tuple[Tensor, ...], hidden: Tensor) -> Tensor:
    """Cast the embeddings, so that residual sums and norms also use the 16-bit type."""
    return hidden.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else hidden


def _attend(module: Any, hidden_states: Tensor, attention_mask: Tensor | None = None, **_: Any) -> tuple[Tensor, None]:
    """Attend with one product for query, key and value, and plain products for the rest.

    Shapes: hidden_states [B, L, H], attention_mask [B, 1, L, L], true where a token is seen -> [B, L, H]
    """
    batch, length, _size = hidden_states.shape
    layers = module.query, module.key, module.value
    # The scale goes into the query's weights, which are far fewer than the scores.
    factors = module.scaling, 1.0, 1.0
    weight = torch.cat([factor * layer.weight for factor, layer in zip(factors, layers, strict=True)])
    bias = torch.cat([factor * layer.bias for factor, layer in zip(factors, layers, strict=True)])
    # [B, L, 3, heads, D] to three times [B, heads, L, D]
    shape = (batch, length, 3, module.num_attention_heads, module.attention_head_size)
    query, key, value = linear(hidden_states, weight, bias).view(shape).permute(2, 0, 3, 1, 4)
    scores = query @ key.transpose(-1, -2)
    if attention_mask is not None:
        unseen = torch.zeros_like(attention_mask, dtype=scores.dtype)
        scores = scores + unseen.masked_fill_(~attention_mask, torch.finfo(scores.dtype).min)
    attended = module.dropout(scores.softmax(-1)) @ value
    return attended.transpose(1, 2).reshape(batch, length, -1), None


def _drop(module: nn.Dropout, inputs: Tensor) -> Tensor:
    """Set random elements to 0 and scale the others, with one random byte for each element."""
    dropped = min(round(module.p * LEVELS), LEVELS - 1)
    if not (module.training and dropped):
        return inputs
    numbers = torch.empty(math.ceil(inputs.numel() / RANDOM_BYTES), dtype=torch.int64).random_(-(2**63), None)
    random_bytes = numbers.view(torch.uint8)[: inputs.numel()].view(inputs.shape)
    mask = random_bytes.ge_(dropped).to(inputs.dtype).mul_(LEVELS / (LEVELS - dropped))
    return inputs * mask
