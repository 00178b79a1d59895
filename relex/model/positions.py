"""Positions of an encoder's tokens."""

from transformers import PretrainedConfig

COUNT_FROM_PADDING = frozenset({"camembert", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl"})
"""Encoders whose positions count from the id of the padding token."""


def first_position(config: PretrainedConfig) -> int:
    """Return the position of an input's first token."""
    return int(config.pad_token_id) + 1 if config.model_type in COUNT_FROM_PADDING else 0


def max_tokens(config: PretrainedConfig) -> int | None:
    """Return how many tokens an encoder has positions for; None if it has no limit."""
    positions = getattr(config, "max_position_embeddings", None)
    return None if positions is None else positions - first_position(config)
