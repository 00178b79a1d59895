"""The fixtures of tests that build small models."""

from tests.fixtures.models import (
    _one_thread,
    backbone_config,
    build,
    cache,
    examples,
    hub,
    impatient,
    make_example,
    many,
    tokenizer,
)

__all__ = [
    "_one_thread",
    "backbone_config",
    "build",
    "cache",
    "examples",
    "hub",
    "impatient",
    "make_example",
    "many",
    "tokenizer",
]
